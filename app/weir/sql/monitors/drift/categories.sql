-- name: drift/categories
-- question: Which words that the model reads have moved?
-- title: Drift of categories and texts
-- source: Pearson 1900 (chi-square), Siddiqi 2006 (PSI): sql/parts/drift_words.sql
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
-- p: of chi-square, exact for its degrees of freedom. new_rate: predictions with a word that the baseline has not, and which
-- (ten of them); null where the baseline has words that are not counted by name, as of free text.
SELECT time, name, n, psi, psi_null, chi2, df, p, js, new_rate, arraySlice(new_words, 1, 10) AS new_words,
       missing_rate, base_missing_rate, rest_rate, base, base_n, cells, smoothing, log_base
FROM <drift_words: kinds = 'category'>
ORDER BY time, name
