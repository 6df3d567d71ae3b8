-- Figures of words: chi-square of the two rows of counts, with the exact p for its degrees of freedom; PSI and Jensen-Shannon as
-- for numbers, over all words that either side has. Words that are not counted by name are one, and so is what is missing.
-- new_rate: words that the baseline has not; null where it has some that are not counted by name.
-- Source: Pearson's chi-square of homogeneity; Abramowitz and Stegun 26.4.4, 26.4.5 (its distribution by finite sums).
--
-- Each step is a query of its own: as one, every name would be worked out again wherever it stands.
SELECT kind, name, time, n, base, base_n, digest, cells, 0.5 AS smoothing, 2 AS log_base, if(both, 2 * half, NULL) AS chi2, df,
       multiIf(NOT both, NULL, df = 0 OR half <= 0, 1.,
               df % 2 = 0, arraySum(j -> exp(-half + j * ln(half) - lgamma(j + 1)), range(intDiv(df, 2))),
               erfc(sqrt(half)) + arraySum(j -> exp(-half + (j - 0.5) * ln(half) - lgamma(j + 0.5)), range(1, intDiv(df + 1, 2)))) AS p,
       if(both, arraySum((a, b) -> ((a + 0.5) / (n + cells / 2) - (b + 0.5) / (base_n + cells / 2)) * ln((a + 0.5) / (n + cells / 2) / ((b + 0.5) / (base_n + cells / 2))), live_rows, base_rows), NULL) AS psi,
       if(both, (cells - 1) * (1 / n + 1 / base_n), NULL) AS psi_null,
       if(both, sqrt(greatest(0, arraySum((a, b) -> if(a > 0, a * log2(2 * a / (a + b)), 0) + if(b > 0, b * log2(2 * b / (a + b)), 0), share, base_share) / 2)), NULL) AS js,
       if(both AND whole, arraySum((k, a, b) -> if(b = 0 AND k != 'missing', a, 0), cell, live_rows, base_rows) / n, NULL) AS new_rate,
       arrayMap(k -> substring(k, 6), arrayFilter((k, b) -> b = 0 AND startsWith(k, 'word '), cell, base_rows)) AS new_words,
       missing / n AS missing_rate, if(both, base_missing / base_n, NULL) AS base_missing_rate, rest / n AS rest_rate, cell, share, base_share
FROM
(
    SELECT kind, name, time, n, base, base_n, digest, whole, missing, base_missing, rest, cell, live_rows, base_rows, base_n > 0 AS both,
           length(cell) AS cells, toUInt32(length(cell) - 1) AS df,
           arraySum((a, b) -> pow(sqrt(base_n / n) * a - sqrt(n / base_n) * b, 2) / (a + b), live_rows, base_rows) / 2 AS half,
           arrayMap(x -> x / n, live_rows) AS share, arrayMap(x -> x / greatest(base_n, 1), base_rows) AS base_share
    FROM
    (
        SELECT kind, name, time, n, base, base_n, digest, whole, missing, base_missing, rest, mapKeys(live_cells) AS cell,
               arrayMap(x -> toFloat64(x), mapValues(live_cells)) AS live_rows, arrayMap(x -> toFloat64(x), mapValues(base_cells)) AS base_rows
        FROM
        (
            SELECT kind, name, time, n, base, base_n, digest, whole, missing, base_missing, rest,
                   mapAdd(here, mapApply((k, v) -> (k, toUInt64(0)), there)) AS live_cells, mapAdd(there, mapApply((k, v) -> (k, toUInt64(0)), here)) AS base_cells
            FROM
            (
                SELECT kind, name, time, n, base, base_n, digest, whole, missing, base_missing, rest,
                       mapAdd(mapApply((k, v) -> (concat('word ', k), v), words), if(rest > 0, map('rest', rest), map()), if(missing > 0, map('missing', missing), map())) AS here,
                       mapAdd(mapApply((k, v) -> (concat('word ', k), v), base_words), if(base_rest > 0, map('rest', base_rest), map()), if(base_missing > 0, map('missing', base_missing), map())) AS there
                FROM <drift_sides: kinds = <kinds>>
            )
        )
    )
)
