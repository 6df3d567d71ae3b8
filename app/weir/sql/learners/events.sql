-- name: learners/events
-- title: Requests as they were served, and their outcomes as they became known: two events of each
-- grain: prediction_id, learned
-- source: view results_<service>; an outcome is known from its received_at or its occurred_at on, and never before its request
-- value: at (of the event, ms since 1970), learned (0: served, 1: its outcome became known), served (when its request was), tenant, x (inputs as the model saw them, NaN: missing), y (what came true: a number, or the place of its word among words, from 0; NaN: no such word, or none was said), score, outputs (what was answered); decision, label, observed, attributes (of which a formula says the value)
-- panel: none
SELECT event.1 AS at, event.2 AS learned, toUnixTimestamp64Milli(event_time) AS served, prediction_id, scored_at, digest, tenant,
       arrayMap(name -> multiIf(mapContains(doubles, name), doubles[name], mapContains(longs, name), toFloat64(longs[name]),
                                mapContains(features, name), toFloat64(features[name]), nan), {inputs:Array(String)}) AS x,
       if(empty({words:Array(String)}), ifNull(observed, nan),
          if(has({words:Array(String)}, ifNull(label, '')), toFloat64(indexOf({words:Array(String)}, ifNull(label, '')) - 1), nan)) AS y,
       toFloat64(score) AS score,
       arrayMap(class -> if(mapContains(outputs, class), toFloat64(outputs[class]), 0), {labels:Array(String)}) AS outputs,
       decision, label, observed, attributes
FROM {results:Identifier}
ARRAY JOIN [(toUnixTimestamp64Milli(event_time), toUInt8(0)),
            (toUnixTimestamp64Milli(greatest(event_time, if({known:String} = 'occurred', occurred_at, received_at))), toUInt8(1))] AS event
WHERE has_outcome AND empty(packed)
  AND event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')}
  AND event.1 < toUnixTimestamp64Milli({to:DateTime64(3, 'UTC')})
