-- name: bundles/names
-- title: What the packed columns of predictions mean, by bundle
-- grain: digest
-- source: table bundles FINAL: every scorer and shadow says it when it starts
-- value: inputs, views, outputs, texts, doubles, longs (names, in the order of the packed values); classes, decisions and cuts, by which a score is read; categories (words by code) and reference (JSON), by which predictions are counted
-- panel: table
SELECT digest, inputs, views, outputs, texts, doubles, longs, categories, reference, service, model, version, task, classes, decisions, cuts, threshold, role, written_at
FROM bundles FINAL
ORDER BY digest, written_at DESC
LIMIT 1 BY digest
