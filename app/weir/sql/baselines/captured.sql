-- name: baselines/captured
-- title: What drift can be compared with, beside each bundle's own reference
-- grain: service, id
-- source: table baselines FINAL: what `weir baseline capture` took
-- value: predictions, names (inputs, scores, classes and decisions that it has), about (JSON: from when to when, and who took it)
-- panel: table
SELECT service, id, max(n) AS predictions, count() AS names, any(about) AS about, max(written_at) AS captured_at
FROM baselines FINAL
WHERE {service:String} IN ('', service) AND id NOT LIKE 'reference:%'
GROUP BY service, id
ORDER BY service, id
