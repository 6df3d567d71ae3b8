-- name: overview/newest
-- title: Event time of the newest prediction of every service
-- grain: service
-- source: table gate_minutes
-- value: newest_ms (since 1970)
-- panel: none
SELECT service, toUnixTimestamp64Milli(max(gate_minutes.newest)) AS newest_ms
FROM gate_minutes
WHERE minute < {to:DateTime('UTC')}
GROUP BY service
ORDER BY service
