-- name: learners/beside
-- title: What shadows said of requests, by the ids of their predictions
-- grain: prediction_id, shadow
-- source: table shadows; of one that was scored twice the first
-- value: id, shadow (the beginning of its bundle's digest), score, outputs
-- panel: none
WITH arrayMap(id -> toUUID(id), extractAll({ids:String}, '.{36}')) AS asked
SELECT toString(prediction_id) AS id, CAST(digest, 'String') AS shadow, toFloat64(score) AS score,
       arrayMap(class -> if(mapContains(outputs, class), toFloat64(outputs[class]), 0), {labels:Array(String)}) AS outputs
FROM shadows
WHERE service = {service:String} AND empty(packed) AND digest IN {shadows:Array(String)}
  AND event_time IN (SELECT arrayJoin(arrayMap(id -> UUIDv7ToDateTime(id, 'UTC'), asked)))
  AND prediction_id IN (SELECT arrayJoin(asked))
ORDER BY scored_at
LIMIT 1 BY prediction_id, digest
