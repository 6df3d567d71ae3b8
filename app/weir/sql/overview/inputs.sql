-- name: overview/inputs
-- title: Of every service, what its newest bundle is given
-- grain: service
-- source: table bundles: of scorers, the one that was announced last; of shadows where there is none
-- value: inputs (names: numbers, then words)
-- panel: none
SELECT service, arrayDistinct(arrayConcat(argMax(b.inputs, (b.role = 'scorer', b.written_at)), argMax(b.texts, (b.role = 'scorer', b.written_at)))) AS inputs
FROM bundles AS b
GROUP BY service
ORDER BY service
