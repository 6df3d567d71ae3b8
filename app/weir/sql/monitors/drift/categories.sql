-- name: drift/categories
-- question: Which words that the model reads have moved?
-- title: Drift of categories and texts
-- source: Pearson 1900 (chi-square), Siddiqi 2006 (PSI): view drift_words
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
-- filters: version variant tenant
-- panel: heat
-- grain: histograms histograms_hour
--
-- p: of chi-square, exact for its degrees of freedom. new_rate: predictions with a word that the baseline has not, and which
-- (ten of them); null where the baseline has words that are not counted by name, as of free text.
SELECT time, name, n, psi, psi_null, chi2, df, p, js, new_rate, arraySlice(new_words, 1, 10) AS new_words,
       missing_rate, base_missing_rate, rest_rate, base, base_n, cells, smoothing, log_base
FROM drift_words
    (kinds = ['category'], service = {service:String}, subject = '', step = {step:UInt32}, from = {from:DateTime}, to = {to:DateTime},
     version = {version:String}, variant = {variant:String}, tenant = {tenant:String}, baseline = {baseline:String}, season = {season:String},
     base_version = {base_version:String}, base_variant = {base_variant:String}, base_from = {base_from:DateTime}, base_to = {base_to:DateTime})
ORDER BY time, name
