-- name: gate/traffic
-- title: How many predictions a service has, and when their outcomes come
-- grain: service
-- source: view results_<service>; the seven days of event time before the newest prediction
-- value: rows, seconds (from the first to the last), labelled (share with an outcome), positive (share of these), delay_s (after which nine in ten have come)
-- panel: none
-- In a replay of the past an outcome counts as come when it occurred: its prediction was scored long after its event.
WITH (SELECT max(newest) FROM gate_minutes WHERE service = {service:String}) AS newest
SELECT count() AS rows, dateDiff('second', min(event_time), max(event_time)) AS seconds, countIf(has_outcome) / rows AS labelled,
       countIf(has_outcome AND label = {positive:String}) / greatest(1, countIf(has_outcome)) AS positive,
       quantileIf(0.9)(greatest(0, dateDiff('second', event_time, if(dateDiff('day', event_time, scored_at) > 1, occurred_at, received_at))), has_outcome) AS delay_s
FROM {results:Identifier}
WHERE event_time > newest - INTERVAL 7 DAY
