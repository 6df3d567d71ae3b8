-- name: drift/features
-- question: Which numbers that the model reads have moved?
-- title: Drift of numeric inputs
-- source: Siddiqi 2006 (PSI), Stephens 1970 (KS), Endres and Schindelin 2003 (JS), Vallender 1974 (Wasserstein-1): sql/parts/drift_numbers.sql
-- tasks: all
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
-- verdict: drift
-- grain: histograms histograms_hour
-- runbook: drift
--
-- psi: over the tenths of the baseline, and what is missing; psi_null is its mean if nothing moved. ks is at most ks_high. p: of
-- neither values nor missing rate having moved. base: empty where there is nothing to compare with. grid_id, smoothing (of a
-- cell, in predictions) and log_base (of js) are part of the figures.
SELECT time, name, n, psi, psi_null, ks, ks_high, ks_p, p, js, w1,
       missing_rate, base_missing_rate, below_rate, above_rate, base_outside_rate, mean, base_mean,
       valid_n, base, base_n, grid_id, smoothing, log_base
FROM <drift_numbers: kinds = 'feature'>
ORDER BY time, name
