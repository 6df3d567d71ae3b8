-- name: alerts/list
-- title: Alerts and where they are
-- grain: alert_id
-- source: table alerts: its transitions; of a number that was written twice the first in the log
-- value: state (a mark leaves it as it is)
-- panel: table
SELECT alert_id, any(key) AS alert_key, any(service) AS of_service, any(monitor) AS of_monitor, any(subject) AS of_subject,
       any(segment) AS of_segment, argMax(if(to_state IN ('ok', 'pending', 'firing', 'resolved'), to_state, from_state), number) AS state,
       argMax(severity, number) AS severe, argMax(owner, number) AS of_owner, argMax(cause, number) AS of_cause,
       argMax(runbook, number) AS entry, min(begin) AS since, max(at) AS latest, max(number) AS transitions,
       argMaxIf(sentence, number, to_state IN ('ok', 'pending', 'firing', 'resolved')) AS said,
       argMaxIf(evidence, number, to_state IN ('ok', 'pending', 'firing', 'resolved')) AS proof,
       argMaxIf(tuple(begin, end), number, to_state IN ('ok', 'pending', 'firing', 'resolved')) AS measured,
       argMaxIf(by, number, to_state = 'acknowledged') AS acknowledged_by, argMax(silence, number) AS silenced_by
FROM alerts FINAL
WHERE {service:String} IN ('', service) AND at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')}
GROUP BY alert_id
ORDER BY state = 'firing' DESC, severe = 'page' DESC, latest DESC
LIMIT {limit:UInt32}
