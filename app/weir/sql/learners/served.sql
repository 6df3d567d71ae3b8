-- name: learners/served
-- title: Requests as they were served, by the ids of their predictions
-- grain: prediction_id
-- source: table predictions; of a request that was answered twice under one id the answer that came first
-- value: id, answered_ms (ms since 1970), tenant, shape (of the names of inputs), values (of inputs as the model saw them), score, outputs (what was answered), by (the bundle that answered), learned (whether it is a learner's)
-- panel: none
-- To look names up in three maps of each row costs ten times of what all the rest does. Rows of one shape have the same
-- names in the same order, see learners/shapes: whoever asks puts values where they belong.
WITH arrayMap(id -> toUUID(id), extractAll({ids:String}, '.{36}')) AS asked
SELECT toString(prediction_id) AS id, toUnixTimestamp64Milli(scored_at) AS answered_ms, tenant,
       cityHash64(mapKeys(doubles), mapKeys(longs), mapKeys(features)) AS shape,
       arrayConcat(mapValues(doubles), arrayMap(value -> toFloat64(value), mapValues(longs)), arrayMap(value -> toFloat64(value), mapValues(features))) AS values,
       toFloat64(score) AS score,
       arrayMap(class -> if(mapContains(outputs, class), toFloat64(outputs[class]), 0), {labels:Array(String)}) AS outputs,
       CAST(digest, 'String') AS by, learner_state != '' AS learned
FROM predictions
WHERE service = {service:String} AND NOT golden AND empty(packed)
  AND event_time IN (SELECT arrayJoin(arrayMap(id -> UUIDv7ToDateTime(id, 'UTC'), asked)))
  AND prediction_id IN (SELECT arrayJoin(asked))
ORDER BY scored_at, digest
LIMIT 1 BY prediction_id
