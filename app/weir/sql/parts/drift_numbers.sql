-- Figures of numbers. Two cumulative shares P and Q over the bins of both sides; between the edges of bins they are straight.
--   ks        largest difference at an edge; ks_high: more than it cannot be anywhere. ks_p: of no difference, asymptotic
--   psi       over the tenths of the baseline, and over what is missing if anything is; half a prediction more in each cell
--   psi_null  what psi is on average if nothing changed: (cells - 1) (1 / n + 1 / base_n)
--   js        Jensen-Shannon distance over the same cells, base 2, 0 to 1. w1: Wasserstein-1 in the input's unit
--   p         of no difference in values or in what is missing (twice the lesser of both)
-- Source: Kolmogorov's distribution with Stephens' correction (Stephens 1970); Siddiqi 2006 (PSI); Yurdakul 2018 (its mean
-- without change); Endres and Schindelin 2003 (Jensen-Shannon); Vallender 1974 (Wasserstein-1 by cumulative shares).
WITH
    -- Each step is a query of its own: as one, every name would be worked out again wherever it stands.
    arrayMap(x -> (x + 0.5) / (n + length(live_cells) / 2), live_cells) AS p_half, arrayMap(x -> (x + 0.5) / (base_n + length(base_cells) / 2), base_cells) AS q_half,
    arrayMap(x -> x / n, live_cells) AS p_cell, arrayMap(x -> x / base_n, base_cells) AS q_cell,
    arrayMap((k, x, a, b) -> (abs(k) < 32766, x, abs(a - b)), bins, middle, p_sum, q_sum) AS steps
SELECT kind, name, time, toUInt64(n) AS n, toUInt64(valid) AS valid_n, base, base_n, digest,
       concat(grid.1, if(grid.1 = 'asinh', concat(' ', toString(grid.2), ' ', toString(grid.3)), '')) AS grid_id, 0.5 AS smoothing, 2 AS log_base,
       if(both, distance, NULL) AS ks,
       if(both, least(1, arrayMax((a, b, x, y) -> greatest(a - b + y, b - a + x), p_sum, q_sum, p_bin, q_bin)), NULL) AS ks_high,
       multiIf(NOT both, NULL, lambda < 0.3, 1.,
               least(1, greatest(0, 2 * arraySum(k -> if(k % 2 = 1, 1, -1) * exp(-2 * k * k * lambda * lambda), range(1, 101))))) AS ks_p,
       if(base_n = 0, NULL, arraySum((a, b) -> (a - b) * ln(a / b), p_half, q_half)) AS psi,
       if(base_n = 0, NULL, (least(length(bins), arrayUniq(cut) + 1) - 1 + gaps) * (1 / n + 1 / base_n)) AS psi_null,
       if(base_n = 0, NULL, sqrt(greatest(0, arraySum((a, b) -> if(a > 0, a * log2(2 * a / (a + b)), 0) + if(b > 0, b * log2(2 * b / (a + b)), 0), p_cell, q_cell) / 2))) AS js,
       if(both, arraySum((s, t) -> if(s.1 AND t.1, (t.2 - s.2) * s.3, 0), arrayPopBack(steps), arrayPopFront(steps)), NULL) AS w1,
       multiIf(base_n = 0, NULL, NOT gaps, ks_p, least(1, 2 * least(ifNull(ks_p, 1), missing_p))) AS p,
       missing / n AS missing_rate, if(base_n = 0, NULL, base_missing / base_n) AS base_missing_rate, below / n AS below_rate, above / n AS above_rate,
       if(base_n = 0, NULL, base_outside / base_n) AS base_outside_rate,
       total / nullIf(valid - infinite, 0) AS mean, base_total / nullIf(base_valid - base_infinite, 0) AS base_mean,
       bins AS bin, arrayMap(x -> x / n, live_rows) AS share, arrayMap(x -> x / greatest(base_n, 1), base_rows) AS base_share, middle AS value
FROM
(
    SELECT *,
        arrayConcat(if(base_valid = 0, arrayFilter(x -> valid > 0, [valid]), arrayPopFront(arrayMap(x -> x * valid, arrayDifference(arrayConcat([0.], p_cut, [1.]))))), if(gaps, [toFloat64(missing)], [])) AS live_cells,
        arrayConcat(if(base_valid = 0, arrayFilter(x -> valid > 0, [0.]), arrayMap(x -> base_valid / 10, range(10))), if(gaps, [toFloat64(base_missing)], [])) AS base_cells,
        distance * (root + 0.12 + 0.11 / root) AS lambda,
        if(pooled IN (0, 1), 1, erfc(abs(missing / n - base_missing / base_n) / sqrt(2 * pooled * (1 - pooled) * (1 / n + 1 / base_n)))) AS missing_p,
        arrayMap(k -> if(grid.1 = 'unit', (k + 0.5) / 1000, grid.2 + grid.3 * sinh(k / 16)), bins) AS middle
    FROM
    (
        SELECT *, arrayMap((d, i) -> p_sum[i] - p_bin[i] * (q_sum[i] - d / 10) / q_bin[i], range(1, 10), cut) AS p_cut
        FROM
        (
            SELECT *, arrayMap(d -> least(arrayFirstIndex(x -> x >= d / 10 - 1e-12, q_sum), length(bins)), range(1, 10)) AS cut,
                   arrayMax((a, b) -> abs(a - b), p_sum, q_sum) AS distance
            FROM
            (
                SELECT *, arrayCumSum(p_bin) AS p_sum, arrayCumSum(q_bin) AS q_sum
                FROM
                (
                    SELECT *, arrayMap(x -> x / if(valid = 0, 1, valid), live_rows) AS p_bin, arrayMap(x -> x / if(base_valid = 0, 1, base_valid), base_rows) AS q_bin,
                           valid > 0 AND base_valid > 0 AS both, sqrt(valid * base_valid / (valid + base_valid)) AS root
                    FROM
                    (
                        SELECT *, mapKeys(live_bins) AS bins, mapValues(live_bins) AS live_rows, mapValues(base_bins) AS base_rows,
                               arraySum(live_rows) AS valid, arraySum(base_rows) AS base_valid
                        FROM
                        (
                            SELECT *, mapAdd(here, mapApply((k, v) -> (k, 0.), there)) AS live_bins, mapAdd(there, mapApply((k, v) -> (k, 0.), here)) AS base_bins
                            FROM
                            (
                                SELECT kind, name, time, grid, digest, n, missing, below, above, total, base, base_n, base_missing, base_outside, base_total,
                                       missing > 0 OR base_missing > 0 AS gaps, (missing + base_missing) / (n + base_n) AS pooled,
                                       hist[32766] + hist[-32766] AS infinite, base_hist[32766] + base_hist[-32766] AS base_infinite,
                                       mapFilter((k, v) -> k != 32767, hist) AS here, mapFilter((k, v) -> k != 32767, base_hist) AS there
                                    FROM <drift_sides: kinds = <kinds>>
                            )
                        )
                    )
                )
            )
        )
    )
)
