-- name: bundles/names
-- title: What the packed columns of predictions mean, by bundle
-- grain: digest
-- source: table bundles FINAL: every scorer and shadow says it when it starts
-- value: inputs, views (names, in the order of the packed values)
-- panel: table
SELECT digest, inputs, views, service, model, version, threshold, written_at
FROM bundles FINAL
ORDER BY digest, written_at DESC
LIMIT 1 BY digest
