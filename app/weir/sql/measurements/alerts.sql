-- name: measurements/alerts
-- title: Of each alert, its latest change
-- grain: key
-- source: table alerts
-- value: number, memory (state of the alert after it)
-- panel: none
SELECT key, any(alerts.service) AS service, any(alerts.monitor) AS monitor, any(alerts.subject) AS subject, any(alerts.segment) AS segment,
       anyLast(alerts.owner) AS owner, anyLast(alerts.cause) AS cause, anyLast(alerts.runbook) AS runbook,
       max(alerts.number) AS number, argMax(alerts.memory, (alerts.number, rank)) AS memory
FROM alerts
GROUP BY key
