-- name: drift/score
-- question: Has what the model says moved?
-- title: Drift of the score
-- source: as drift/features: sql/parts/drift_numbers.sql
-- tasks: all
-- time: time
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
-- panel: lines
-- verdict: drift_one
-- series: psi as PSI, psi_null as of no change base
-- grain: histograms histograms_hour
-- runbook: drift
--
-- Of two classes the probability of the positive one, of more that of the decided one, of a regression the value.
SELECT time, n, psi, psi_null, ks, ks_high, ks_p, p, js, w1,
       missing_rate, base_missing_rate, below_rate, above_rate, base_outside_rate, mean, base_mean,
       valid_n, base, base_n, grid_id, smoothing, log_base
FROM <drift_numbers: kinds = 'score'>
ORDER BY time
