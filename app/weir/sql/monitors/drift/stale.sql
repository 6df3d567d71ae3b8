-- name: drift/stale
-- question: Are the features that the model reads fresh?
-- title: Feature views: too old, not found, not answered
-- source: feature_status and feature_age_s of predictions, counted by the recorder
-- tasks: all
-- time: time
-- subject: view
-- value: stale
-- unit: share
-- n: n
-- warn: > 0.01
-- page: > 0.1
-- minimum: 100
-- window: 1h
-- panel: heat
-- verdict: views
-- filters: version variant tenant team
-- grain: histograms histograms_hour
-- runbook: drift
--
-- stale: predictions for which a view's values were older than its limit (limit_s; 0 has none), or could not be read in time.
-- age_p50 to age_p99: seconds, exact to 4 s below a minute and to 6 % above; from_the_future: values recorded after the request.
WITH sumMapIf(words, kind = 'status') AS statuses, mapFilter((k, v) -> k != 32767, sumMapIf(hist, kind = 'age')) AS ages,
     arrayCumSum(mapValues(ages)) AS upto, (q -> 60 * sinh(mapKeys(ages)[arrayFirstIndex(x -> x >= q * upto[-1], upto)] / 16)) AS age
SELECT toStartOfInterval(window, toIntervalSecond({step:UInt32}), 'UTC') AS time, name AS view, sumIf(n, kind = 'status') AS n,
       (statuses['stale'] + statuses['unavailable']) / n AS stale, statuses['unavailable'] / n AS unavailable, statuses['not_found'] / n AS not_found,
       statuses['null'] / n AS nulls, if(empty(ages), NULL, age(0.5)) AS age_p50, if(empty(ages), NULL, age(0.95)) AS age_p95, if(empty(ages), NULL, age(0.99)) AS age_p99,
       arraySum((k, v) -> if(k < 0, v, 0), mapKeys(ages), mapValues(ages)) / n AS from_the_future, any(limits.limit_s) AS limit_s
FROM {histograms:Identifier} AS counts
LEFT JOIN
(
    SELECT view, argMax(limit_s, written_at) AS limit_s
    FROM (SELECT arrayJoin(arrayZip(views, ttl_s)) AS pair, pair.1 AS view, pair.2 AS limit_s, written_at FROM bundles FINAL WHERE service = {service:String})
    GROUP BY view
) AS limits ON counts.name = limits.view
WHERE service = {service:String} AND window >= {from:DateTime} AND window < {to:DateTime} AND kind IN ('age', 'status')
    AND {version:String} IN ('', version) AND {variant:String} IN ('', variant) AND {tenant:String} IN ('', tenant) AND {team:String} IN ('', team)
GROUP BY time, name
ORDER BY time, view
