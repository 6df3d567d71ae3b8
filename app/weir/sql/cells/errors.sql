-- name: cells/errors
-- title: Counts an hour's predicted numbers and what they were off by, by the span of the score
-- grain: service, hour, version, variant, tenant, team, from_value
-- source: view results_<service>; spans and errors as outcome/error_by_value and outcome/r2 have them
-- value: rows of outcome_errors
INSERT INTO outcome_errors
SELECT {service:String}, wide, hour, {made:UInt64}, version, variant, if(wide, '', tenant) AS tenants, if(wide, '', team) AS teams, from_value,
       sum(n), sum(known), sum(strange), sum(usable), sum(es), sum(sizes), sum(e2s), sum(e4s), sum(ys), varPopMergeState(spread)
FROM
(
    WITH
        toFloat64(score) - observed AS off, ifNull(isFinite(off), 0) AS counts, if(counts, assumeNotNull(off), 0) AS e, if(counts, assumeNotNull(observed), 0) AS y,
        abs(toFloat64(score)) AS size, if(size > 0 AND isFinite(size), floor(log10(size) + 1e-9), 0) AS power, size < 0.001 AS tiny, size / pow(10, power) AS lead
    SELECT toStartOfHour(toDateTime(event_time, 'UTC')) AS hour, version, variant, tenant, team,
           toFloat32(multiIf(tiny, 0, NOT isFinite(size), size, lead > 4.999999, 5, lead > 1.999999, 2, 1) * if(size > 0 AND isFinite(size), pow(10, power), 1) * sign(score)) AS from_value,
           count() AS n, countIf(has_outcome) AS known, countIf(isNotNull(observed) AND NOT counts) AS strange, countIf(counts) AS usable,
           sum(e) AS es, sum(abs(e)) AS sizes, sum(e * e) AS e2s, sum(pow(e, 4)) AS e4s, sum(y) AS ys, varPopStateIf(y, counts) AS spread
    FROM {results:Identifier}
    WHERE event_time >= {from:DateTime} AND event_time < {to:DateTime} AND has({hours:Array(DateTime)}, toStartOfHour(toDateTime(event_time, 'UTC')))
    GROUP BY hour, version, variant, tenant, team, from_value
)
ARRAY JOIN [true, false] AS wide
GROUP BY wide, hour, version, variant, tenants, teams, from_value
