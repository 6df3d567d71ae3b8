-- name: cells/delays
-- title: Counts how old an hour's predictions were when their outcome was known
-- grain: service, hour, version, variant, tenant, team
-- source: view results_<service>; ages and delays as outcome/maturity has them
-- value: rows of outcome_delays
INSERT INTO outcome_delays
SELECT {service:String}, wide, hour, {made:UInt64}, version, variant, if(wide, '', tenant) AS tenants, if(wide, '', team) AS teams,
       sum(n), sum(known), sumForEach(by_age), quantilesTDigestMergeState(0.5, 0.9, 0.99)(delays)
FROM
(
    WITH
        if(scored_at - event_time < 86400, received_at, occurred_at) AS known_at,
        if(has_outcome, toFloat64(greatest(dateDiff('second', event_time, known_at), 0)), inf) AS delay_s
    SELECT toStartOfHour(toDateTime(event_time, 'UTC')) AS hour, version, variant, tenant, team,
           count() AS n, countIf(has_outcome) AS known,
           sumForEach(arrayMap(age -> toUInt64(delay_s <= age), [3600, 10800, 21600, 43200, 86400, 172800, 259200, 604800, 1209600, 2592000, 5184000, 7776000])) AS by_age,
           quantilesTDigestStateIf(0.5, 0.9, 0.99)(delay_s, has_outcome) AS delays
    FROM {results:Identifier}
    WHERE event_time >= {from:DateTime} AND event_time < {to:DateTime} AND has({hours:Array(DateTime)}, toStartOfHour(toDateTime(event_time, 'UTC')))
    GROUP BY hour, version, variant, tenant, team
)
ARRAY JOIN [true, false] AS wide
GROUP BY wide, hour, version, variant, tenants, teams
