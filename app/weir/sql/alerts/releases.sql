-- name: alerts/releases
-- title: Since when each version of a service answers
-- grain: version, variant
-- source: table traffic_hour
-- value: since (begin of its first hour)
-- panel: none
SELECT version, variant, min(window) AS since, sum(n) AS predictions
FROM traffic_hour
WHERE service = {service:String}
GROUP BY version, variant
ORDER BY since, version, variant
