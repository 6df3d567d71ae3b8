-- name: cells/stale
-- title: Hours whose cells do not count all that there is, the newest first
-- grain: hour
-- source: tables outcome_changes and outcome_kept; hours in which something changed a moment ago are left alone
-- value: changes, common (as outcome_kept has them), predictions (rows written), made (a number for what is counted now)
-- panel: none
WITH
    (
        SELECT cityHash64(groupArray(told))
        FROM <outcome_common: of = service>
    ) AS of_all
SELECT changed.hour AS hour, now AS changes, of_all AS common, predictions, toUInt64(toUnixTimestamp64Micro(now64(6))) AS made
FROM
(
    SELECT hour, sum(n) AS now, sum(rows) AS predictions, max(last_at) AS last FROM outcome_changes
    WHERE service IN ('', {service:String}) AND hour > toDateTime(0, 'UTC')
    GROUP BY hour
    HAVING predictions > 0
) AS changed
LEFT JOIN
(
    SELECT hour, argMax(changes, outcome_kept.made) AS counted, argMax(common, outcome_kept.made) AS then_of_all
    FROM outcome_kept
    WHERE service = {service:String}
    GROUP BY hour
) AS kept ON kept.hour = changed.hour
WHERE (counted != now OR then_of_all != of_all)
  AND last + toIntervalSecond({quiet_s:UInt32}) <= now64(3)
  AND (SELECT max(last_at) FROM outcome_changes WHERE service = {service:String} AND hour = toDateTime(0, 'UTC')) + toIntervalSecond({quiet_s:UInt32}) <= now64(3)
ORDER BY hour DESC
