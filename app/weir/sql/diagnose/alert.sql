-- name: diagnose/alert
-- title: One alert, by its id, its key or the beginning of either
-- grain: key, alert_id
-- source: table alerts
-- value: its latest change; since: begin of the first window that it is about
-- panel: none
SELECT key, alert_id, argMax(alerts.service, alerts.number) AS service, argMax(alerts.monitor, alerts.number) AS monitor, argMax(alerts.subject, alerts.number) AS subject,
       argMax(alerts.sentence, alerts.number) AS sentence, min(alerts.begin) AS since, max(alerts.end) AS until, max(alerts.number) AS number
FROM alerts
WHERE startsWith(alert_id, {alert:String}) OR startsWith(key, {alert:String})
GROUP BY key, alert_id
ORDER BY until DESC
LIMIT {limit:UInt32}
