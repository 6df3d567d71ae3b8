-- name: drift/decisions
-- question: Are other decisions made than before?
-- title: Drift of decisions
-- source: as drift/categories: view drift_words
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
-- filters: version variant tenant
-- panel: lines
-- grain: histograms histograms_hour
--
-- decision, share, base_share: what was decided, and how often. Of a model without bands that is its class.
SELECT time, n, psi, psi_null, chi2, df, p, js, new_rate, arraySlice(new_words, 1, 10) AS new_words,
       missing_rate, base_missing_rate, rest_rate, base, base_n, cells, smoothing, log_base,
       arrayMap(k -> substring(k, 6), cell) AS decision, share, base_share
FROM drift_words
    (kinds = ['decision'], service = {service:String}, subject = '', step = {step:UInt32}, from = {from:DateTime}, to = {to:DateTime},
     version = {version:String}, variant = {variant:String}, tenant = {tenant:String}, baseline = {baseline:String}, season = {season:String},
     base_version = {base_version:String}, base_variant = {base_variant:String}, base_from = {base_from:DateTime}, base_to = {base_to:DateTime})
ORDER BY time
