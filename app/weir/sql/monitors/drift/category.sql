-- name: drift/category
-- question: How often is each word, and how often was it?
-- title: One category over time, word by word
-- source: as drift/categories: sql/parts/drift_words.sql
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
-- cadence: on demand
-- baseline: reference
-- minimum: 100
-- filters: version variant tenant team
-- panel: histograms
-- verdict: drift_one
-- grain: histograms histograms_hour
-- runbook: drift
--
-- Of the input that is asked about. cell: "word ..." each; rest, those that are not counted by name; missing.
SELECT time, name, n, psi, psi_null, chi2, df, p, js, new_rate, arraySlice(new_words, 1, 10) AS new_words,
       missing_rate, base_missing_rate, rest_rate, base, base_n, cells, smoothing, log_base, cell, share, base_share
FROM <drift_words: kinds = 'category'>
ORDER BY time, name
