-- name: learners/shapes
-- title: Names of inputs, in the order in which learners/served has their values, by the ids of predictions
-- grain: shape
-- source: table predictions
-- value: shape, names (of doubles, of longs, of features)
-- panel: none
WITH arrayMap(id -> toUUID(id), extractAll({ids:String}, '.{36}')) AS asked
SELECT cityHash64(mapKeys(doubles), mapKeys(longs), mapKeys(features)) AS shape,
       any(arrayConcat(mapKeys(doubles), mapKeys(longs), mapKeys(features))) AS names
FROM predictions
WHERE service = {service:String} AND NOT golden AND empty(packed)
  AND event_time IN (SELECT arrayJoin(arrayMap(id -> UUIDv7ToDateTime(id, 'UTC'), asked)))
  AND prediction_id IN (SELECT arrayJoin(asked))
GROUP BY shape
