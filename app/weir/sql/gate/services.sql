-- name: gate/services
-- title: Services of which a request was scored or rejected
-- grain: service
-- source: tables gate_minutes and gate_batches
-- value: minutes of event time with predictions
-- panel: none
SELECT service, uniqExactIf(minute, has_predictions) AS minutes
FROM
(
    SELECT service, minute, true AS has_predictions FROM gate_minutes
    UNION ALL
    SELECT service, minute, false FROM gate_batches
)
GROUP BY service
ORDER BY service
