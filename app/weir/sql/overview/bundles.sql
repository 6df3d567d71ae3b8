-- name: overview/bundles
-- title: Of every service, what its newest bundle says of its answers
-- grain: service
-- source: table bundles: of scorers, the one that was announced last; of shadows where there is none
-- value: task, flagging (decisions that are not the lowest), known (JSON: what is known of its inputs, see bundles/inputs)
-- panel: none
SELECT service, argMax(b.task, (b.role = 'scorer', b.written_at)) AS task, argMax(b.version, (b.role = 'scorer', b.written_at)) AS version,
       arrayPopFront(argMax(b.decisions, (b.role = 'scorer', b.written_at))) AS flagging,
       JSONExtractRaw(argMax(b.reference, (b.role = 'scorer', b.written_at)), 'inputs') AS known
FROM bundles AS b
GROUP BY service
ORDER BY service
