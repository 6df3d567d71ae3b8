-- name: bundles/unnamed
-- title: Predictions and shadows whose values have no names yet
-- grain: digest
-- source: tables predictions, shadows; packed is empty once somebody has said what the values are called
-- value: rows (predictions and shadows; 0 when every worker said so before its first one)
-- page: 1
-- panel: table
SELECT digest, any(service) AS service, toInt64(count()) AS rows, min(scored_at) AS first, max(scored_at) AS latest
FROM
(
    SELECT digest, service, scored_at FROM predictions WHERE notEmpty(packed)
    UNION ALL
    SELECT digest, service, scored_at FROM shadows WHERE notEmpty(packed)
)
GROUP BY digest
ORDER BY rows DESC, digest
