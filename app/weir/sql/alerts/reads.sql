-- name: alerts/reads
-- title: What the bundles of a service read
-- grain: digest
-- source: table bundles: as each scorer and shadow said it when it started
-- value: views, inputs, features (fingerprint of the definitions of the features; empty without)
-- panel: none
SELECT digest, argMax(b.views, b.written_at) AS views, argMax(arrayDistinct(arrayConcat(b.inputs, b.texts)), b.written_at) AS inputs,
       argMax(b.feature_fingerprint, b.written_at) AS features
FROM bundles AS b
WHERE service = {service:String}
GROUP BY digest
ORDER BY digest
