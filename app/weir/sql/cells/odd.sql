-- name: cells/odd
-- title: Hours that no cells are made of
-- grain: hour
-- source: table predictions: rows that wait for the names of their outputs, and scores of two classes that are no chances
-- value: hour
-- panel: none
SELECT DISTINCT toStartOfHour(toDateTime(event_time, 'UTC')) AS hour
FROM predictions
WHERE service = {service:String} AND event_time >= {from:DateTime} AND event_time < {to:DateTime} AND NOT golden
  AND (notEmpty(packed) OR {task:String} = 'binary' AND isFinite(score) AND (score < 0 OR score > 1))
