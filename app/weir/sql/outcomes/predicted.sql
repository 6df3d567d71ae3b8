-- name: outcomes/predicted
-- title: Which of some ids have a prediction
-- grain: prediction
-- source: table predictions; a request's name is one of its service's, a prediction's id is alone in the world
-- value: prediction_id, request_id
-- panel: none
SELECT toString(prediction_id) AS prediction_id, request_id
FROM predictions
WHERE prediction_id IN (SELECT toUUID(arrayJoin({prediction_ids:Array(String)})))
    OR (service = {service:String} AND has({request_ids:Array(String)}, request_id))
