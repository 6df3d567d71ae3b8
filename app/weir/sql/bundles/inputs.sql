-- name: bundles/inputs
-- title: What is known of the inputs of a service's model
-- grain: one row
-- source: table bundles: of scorers, the one that was announced last; of shadows where there is none
-- value: inputs (JSON: input -> importance, view, cycle, each where it is known, as in the bundle's reference; empty where nothing is)
-- panel: none
SELECT JSONExtractRaw(argMax(b.reference, (b.role = 'scorer', b.written_at)), 'inputs') AS inputs, count() AS announced
FROM bundles AS b
WHERE service = {service:String}
