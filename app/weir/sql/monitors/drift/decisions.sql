-- name: drift/decisions
-- question: Are other decisions made than before?
-- title: Drift of decisions
-- source: as drift/categories: sql/parts/drift_words.sql
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
-- decision, share, base_share: what was decided, and how often. Of a model without bands that is its class.
SELECT time, n, psi, psi_null, chi2, df, p, js, new_rate, arraySlice(new_words, 1, 10) AS new_words,
       missing_rate, base_missing_rate, rest_rate, base, base_n, cells, smoothing, log_base,
       arrayMap(k -> substring(k, 6), cell) AS decision, share, base_share
FROM <drift_words: kinds = 'decision'>
ORDER BY time
