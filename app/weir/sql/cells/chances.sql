-- name: cells/chances
-- title: Counts an hour's predictions by class and tenth of the chance that was given to it
-- grain: service, hour, version, variant, tenant, team, label, class, tenth
-- source: view results_<service>; tenths as outcome/calibration has them
-- value: rows of outcome_chances
INSERT INTO outcome_chances
SELECT {service:String}, wide, hour, {made:UInt64}, version, variant, if(wide, '', tenant) AS tenants, if(wide, '', team) AS teams, has_outcome, label, class, tenth,
       sum(n), sum(usable), sum(chances), sum(squares), sum(others)
FROM
(
    WITH
        isFinite(each.2) AS counts, if(counts, toFloat64(each.2), 0) AS chance
    SELECT toStartOfHour(toDateTime(event_time, 'UTC')) AS hour, version, variant, tenant, team, has_outcome, label,
           each.1 AS class, toUInt8(least(greatest(floor(chance * 10 + 1e-6), 0), 9)) AS tenth,
           count() AS n, countIf(counts) AS usable, sumIf(chance, counts) AS chances, sumIf(chance * chance, counts) AS squares, sumIf(pow(1 - chance, 2), counts) AS others
    FROM
    (
        SELECT event_time, version, variant, tenant, team, has_outcome, toString(ifNull(r.label, '')) AS label,
               if(empty(outputs), [('', score)], arrayZip(CAST(mapKeys(outputs), 'Array(String)'), mapValues(outputs))) AS pairs
        FROM {results:Identifier} AS r
        WHERE event_time >= {from:DateTime} AND event_time < {to:DateTime} AND has({hours:Array(DateTime)}, toStartOfHour(toDateTime(event_time, 'UTC')))
    )
    ARRAY JOIN pairs AS each
    GROUP BY hour, version, variant, tenant, team, has_outcome, label, class, tenth
)
ARRAY JOIN [true, false] AS wide
GROUP BY wide, hour, version, variant, tenants, teams, has_outcome, label, class, tenth
