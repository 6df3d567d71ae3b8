-- name: reproduce/named
-- title: The predictions that some words name: a prediction by its id, and those of a request by its name
-- grain: word, prediction_id
-- source: table predictions; services may have requests of one name
-- value: word, as it was asked; prediction_id
-- panel: none
SELECT toString(predictions.prediction_id) AS word, word AS prediction_id
FROM predictions
WHERE predictions.prediction_id IN {ids:Array(UUID)}
UNION ALL
SELECT request_id, toString(predictions.prediction_id)
FROM predictions
WHERE request_id IN {words:Array(String)}
