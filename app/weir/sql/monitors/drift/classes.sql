-- name: drift/classes
-- question: Has the probability of a class moved?
-- title: Drift of the probability of each class
-- source: as drift/features: sql/parts/drift_numbers.sql
-- tasks: multiclass
-- time: time
-- subject: name
-- value: psi
-- unit: psi
-- n: n
-- p: p
-- warn: > 0.1
-- page: > 0.25
-- window: 1h
-- baseline: reference
-- minimum: 100
-- filters: version variant tenant team
-- panel: heat
-- verdict: drift_classes
-- grain: histograms histograms_hour
-- runbook: drift
--
-- mean: the share that the model expects of the class.
SELECT time, name, n, psi, psi_null, ks, ks_high, ks_p, p, js, w1,
       missing_rate, base_missing_rate, below_rate, above_rate, base_outside_rate, mean, base_mean,
       valid_n, base, base_n, grid_id, smoothing, log_base
FROM <drift_numbers: kinds = 'class'>
ORDER BY time, name
