-- name: reproduce/rows
-- title: Everything on which some predictions depend
-- grain: prediction_id
-- source: tables predictions, batches (by batch_id), bundles (by digest, and by the runtime of the batch)
-- value: features (what the model was given), score, decision (what it gave)
-- panel: none
WITH answers AS
(
    SELECT toString(predictions.prediction_id) AS prediction_id, request_id, service, model, version, digest, score, decision, event_time,
           source_log, source_topic, source_partition, source_offset, contract_id, batch_id, learner_state,
           mapKeys(predictions.features) AS inputs, mapValues(predictions.features) AS features,
           mapKeys(predictions.outputs) AS classes, mapValues(predictions.outputs) AS outputs,
           mapKeys(predictions.texts) AS worded, mapValues(predictions.texts) AS texts,
           mapFilter((name, value) -> NOT isNaN(value), predictions.doubles) AS doubles, predictions.longs AS longs,
           if(notEmpty(predictions.packed), arrayMap(at -> hex(predictions.packed[at]), [1, 6, 7]), []) AS packed
    FROM predictions
    WHERE predictions.prediction_id IN {ids:Array(UUID)}
)
SELECT answers.*, batch.runtime_id AS runtime_id, batch.provider AS provider, bundle.runtime AS runtime, named.sha256 AS sha256
FROM answers
LEFT JOIN
(
    SELECT batch_id AS of_batch, any(batches.runtime_id) AS runtime_id, any(batches.provider) AS provider
    FROM batches
    WHERE batch_id IN (SELECT batch_id FROM answers)
    GROUP BY of_batch
) AS batch ON batch.of_batch = answers.batch_id
LEFT JOIN (SELECT digest AS of_digest, runtime_id AS of_runtime, runtime FROM bundles FINAL) AS bundle
    ON bundle.of_digest = answers.digest AND bundle.of_runtime = batch.runtime_id
LEFT JOIN (SELECT digest AS named_digest, any(bundles.sha256) AS sha256 FROM bundles GROUP BY named_digest) AS named
    ON named.named_digest = answers.digest
ORDER BY prediction_id
