-- name: alerts/transitions
-- title: What became of one alert
-- grain: number
-- source: table alerts: of a number that was written twice the first in the log
-- value: to_state
-- panel: none
SELECT key, number, alert_id, from_state, to_state, at, severity, service, monitor, subject, segment, cause, owner, sentence, evidence,
       measurement_id, begin, end, covers, runbook, by, reason, silence, memory
FROM alerts FINAL
WHERE alert_id = {alert:String}
ORDER BY number
