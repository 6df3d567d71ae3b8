-- name: gate/services
-- title: Services of which a prediction is recorded
-- grain: service
-- source: table gate_minutes
-- value: minutes of event time with predictions
-- panel: none
SELECT service, uniqExact(minute) AS minutes FROM gate_minutes GROUP BY service ORDER BY service
