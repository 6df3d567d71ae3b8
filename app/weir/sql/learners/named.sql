-- name: learners/named
-- title: Predictions by the ids of their requests
-- grain: prediction_id
-- source: table predictions
-- value: id, key (the request's id)
-- panel: none
SELECT DISTINCT toString(prediction_id) AS id, request_id AS key
FROM predictions
WHERE service = {service:String} AND NOT golden AND request_id IN (SELECT arrayJoin({keys:Array(String)}))
