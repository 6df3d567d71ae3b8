-- name: bundles/unnamed
-- title: Predictions whose features have no names yet
-- grain: digest
-- source: table predictions; packed is empty once somebody has said what the values are called
-- value: rows (predictions; 0 when every scorer said so before its first one)
-- page: 1
-- panel: table
SELECT digest, any(service) AS service, toInt64(count()) AS rows, min(scored_at) AS first, max(scored_at) AS latest
FROM predictions
WHERE notEmpty(packed)
GROUP BY digest
ORDER BY rows DESC, digest
