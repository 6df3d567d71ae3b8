-- name: cells/scores
-- title: Counts an hour's predictions of two classes by 32nds of the log odds of the score
-- grain: service, hour, version, variant, tenant, team, label, bin
-- source: view results_<service>; bins as outcome/calibration_slope has them
-- value: rows of outcome_scores
INSERT INTO outcome_scores
SELECT {service:String}, wide, hour, {made:UInt64}, version, variant, if(wide, '', tenant) AS tenants, if(wide, '', team) AS teams, has_outcome, label, bin,
       sum(n), sum(odds), sum(chances), sum(squares), sum(others)
FROM
(
    WITH
        isFinite(score) AS counts, if(counts, least(greatest(toFloat64(score), 1e-7), 1 - 1e-7), 0.5) AS p, ln(p / (1 - p)) AS odd
    SELECT toStartOfHour(toDateTime(event_time, 'UTC')) AS hour, version, variant, tenant, team, has_outcome, toString(ifNull(r.label, '')) AS label,
           if(counts, toInt16(round(32 * odd)), 32767) AS bin,
           count() AS n, sum(odd) AS odds, sum(p) AS chances, sum(p * p) AS squares, sum(pow(1 - p, 2)) AS others
    FROM {results:Identifier} AS r
    WHERE event_time >= {from:DateTime} AND event_time < {to:DateTime} AND has({hours:Array(DateTime)}, toStartOfHour(toDateTime(event_time, 'UTC')))
    GROUP BY hour, version, variant, tenant, team, has_outcome, label, bin
)
ARRAY JOIN [true, false] AS wide
GROUP BY wide, hour, version, variant, tenants, teams, has_outcome, label, bin
