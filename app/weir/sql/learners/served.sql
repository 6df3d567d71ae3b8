-- name: learners/served
-- title: Requests as they were served, by the ids of their predictions
-- grain: prediction_id
-- source: table predictions; of a request that was answered twice under one id the answer that came first
-- value: id, answered_ms (ms since 1970), tenant, x (inputs as the model saw them, NaN: missing), score, outputs (what was answered), by (the bundle that answered), learned (whether it is a learner's)
-- panel: none
WITH arrayMap(id -> toUUID(id), extractAll({ids:String}, '.{36}')) AS asked
SELECT toString(prediction_id) AS id, toUnixTimestamp64Milli(scored_at) AS answered_ms, tenant,
       arrayMap(name -> multiIf(mapContains(doubles, name), doubles[name], mapContains(longs, name), toFloat64(longs[name]),
                                mapContains(features, name), toFloat64(features[name]), nan), {inputs:Array(String)}) AS x,
       toFloat64(score) AS score,
       arrayMap(class -> if(mapContains(outputs, class), toFloat64(outputs[class]), 0), {labels:Array(String)}) AS outputs,
       CAST(digest, 'String') AS by, learner_state != '' AS learned
FROM predictions
WHERE service = {service:String} AND NOT golden AND empty(packed)
  AND event_time IN (SELECT arrayJoin(arrayMap(id -> UUIDv7ToDateTime(id, 'UTC'), asked)))
  AND prediction_id IN (SELECT arrayJoin(asked))
ORDER BY scored_at, digest
LIMIT 1 BY prediction_id
