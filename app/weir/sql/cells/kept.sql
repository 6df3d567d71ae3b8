-- name: cells/kept
-- title: What the hours of a time were counted of, and what there is now
-- grain: one row
-- source: tables outcome_kept and outcome_changes
-- value: kept (hour in seconds since 1970, made, changes, common, tables of each), now (hour, changes, predictions of each), common
-- panel: none
SELECT
    (
        SELECT groupArray((toUnixTimestamp(hour), made, changes, common, tables)) FROM outcome_kept FINAL
        WHERE service = {service:String} AND hour >= {from:DateTime('UTC')} AND hour < {to:DateTime('UTC')}
    ) AS kept,
    (
        SELECT groupArray((at, changes, predictions))
        FROM
        (
            SELECT toUnixTimestamp(hour) AS at, sum(n) AS changes, sum(rows) AS predictions FROM outcome_changes
            WHERE service IN ('', {service:String}) AND hour >= toStartOfHour({from:DateTime('UTC')}) AND hour < {to:DateTime('UTC')}
            GROUP BY hour
        )
    ) AS now,
    (
        SELECT cityHash64(groupArray(told))
        FROM <outcome_common: of = service>
    ) AS common
