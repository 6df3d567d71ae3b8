-- name: health/features
-- question: Are the features as fresh as they must be?
-- title: Share of requests whose features were missing or older than their view allows
-- source: table predictions: feature_status and feature_age_s of each view; stale: older than the time to live of the view's contract
-- tasks: all
-- time: begin
-- subject: view
-- value: share
-- unit: share
-- n: n
-- warn: > 0.05
-- page: > 0.5
-- window: 15m
-- minimum: 100
-- panel: lines
-- verdict: views
-- series: share as missing or too old
-- filters: version variant tenant team
-- grain: predictions
-- runbook: health
--
-- Ages are of records that were found, seconds from the record's time to the event. from_the_future: recorded after the event.
SELECT toStartOfInterval(toDateTime(event_time, 'UTC'), toIntervalSecond({step:UInt32})) AS begin, view, count() AS n,
       countIf(status NOT IN ('present', 'null')) / n AS share, countIf(status = 'stale') AS stale, countIf(status = 'not_found') AS not_found,
       countIf(status = 'unavailable') AS unavailable, countIf(status = 'null') AS nulls,
       countIf(status NOT IN ('not_found', 'unavailable') AND age_s < 0) AS from_the_future,
       (quantilesExactIf(0.5, 0.99)(age_s, status NOT IN ('not_found', 'unavailable')) AS ages)[1] AS p50_age_s, ages[2] AS p99_age_s
FROM predictions
ARRAY JOIN mapKeys(feature_status) AS view, mapValues(feature_status) AS status, mapValues(feature_age_s) AS age_s
WHERE service = {service:String} AND event_time >= {from:DateTime} AND event_time < {to:DateTime} AND NOT golden
    AND {version:String} IN ('', version) AND {variant:String} IN ('', variant)
    AND {tenant:String} IN ('', tenant) AND {team:String} IN ('', team) AND {subject:String} IN ('', view)
GROUP BY begin, view
ORDER BY begin, view
