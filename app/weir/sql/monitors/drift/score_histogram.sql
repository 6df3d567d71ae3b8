-- name: drift/score_histogram
-- question: What does the model say?
-- title: Score over time, with its histogram
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
-- cadence: on demand
-- baseline: reference
-- minimum: 100
-- filters: version variant tenant team
-- panel: fan
-- verdict: drift_one
-- grain: histograms histograms_hour
-- runbook: drift
--
-- Of two classes the probability of the positive one, of more that of the decided one, of a regression the value. values: middles
-- of the bins; share, base_share: of all predictions there. q05 to q95: a bin's width exact.
WITH arrayCumSum(share) AS upto, valid_n / n AS valid
SELECT time, n, psi, psi_null, ks, ks_high, ks_p, p, js, w1,
       missing_rate, base_missing_rate, below_rate, above_rate, base_outside_rate, mean, base_mean,
       valid_n, base, base_n, grid_id, smoothing, log_base,
       arrayMap(q -> value[arrayFirstIndex(x -> x >= q * valid, upto)], [0.05, 0.25, 0.5, 0.75, 0.95]) AS q,
       q[1] AS q05, q[2] AS q25, q[3] AS q50, q[4] AS q75, q[5] AS q95, value AS values, share, base_share
FROM <drift_numbers: kinds = 'score'>
ORDER BY time
