-- Figures of numbers. Two cumulative shares P and Q over the bins of both sides; between the edges of bins they are straight.
--   ks        largest difference at an edge; ks_high: more than it cannot be anywhere. ks_p: of no difference, asymptotic
--   psi       over the tenths of the baseline, and over what is missing if anything is; half a prediction more in each cell
--   psi_null  what psi is on average if nothing changed: (cells - 1) (1 / n + 1 / base_n)
--   js        Jensen-Shannon distance over the same cells, base 2, 0 to 1. w1: Wasserstein-1 in the input's unit
--   p         of no difference in values or in what is missing (twice the lesser of both)
-- Source: Kolmogorov's distribution with Stephens' correction (Stephens 1970); Siddiqi 2006 (PSI); Yurdakul 2018 (its mean
-- without change); Endres and Schindelin 2003 (Jensen-Shannon); Vallender 1974 (Wasserstein-1 by cumulative shares).
WITH
    arrayMap(x -> (x + 0.5) / (n + length(live_cells) / 2), live_cells) AS p_half, arrayMap(x -> (x + 0.5) / (base_n + length(base_cells) / 2), base_cells) AS q_half,
    arrayMap(x -> x / n, live_cells) AS p_cell, arrayMap(x -> x / base_n, base_cells) AS q_cell
SELECT kind, name, time, toUInt64(n) AS n, toUInt64(valid) AS valid_n, base, base_n, digest,
       concat(grid.1, if(grid.1 = 'asinh', concat(' ', toString(grid.2), ' ', toString(grid.3)), '')) AS grid_id, 0.5 AS smoothing, 2 AS log_base,
       if(both, distance, NULL) AS ks,
       if(both, least(1, arrayMax((d, x, y) -> greatest(d + y / base_valid, x / valid - d), apart, live_rows, base_rows)), NULL) AS ks_high,
       -- Of this series all terms from 20 / lambda on are 0: exp(-2 * 20 * 20) is.
       multiIf(NOT both, NULL, lambda < 0.3, 1.,
               least(1, greatest(0, 2 * arraySum(k -> if(k % 2 = 1, 1, -1) * exp(-2 * k * k * lambda * lambda), range(1, 2 + toUInt32(ifNotFinite(20 / greatest(lambda, 0.3), 0))))))) AS ks_p,
       if(base_n = 0, NULL, arraySum((a, b) -> (a - b) * ln(a / b), p_half, q_half)) AS psi,
       if(base_n = 0, NULL, (least(arrayCount((a, b) -> a + b > 0, live_rows, base_rows), tenths + 1) - 1 + gaps) * (1 / n + 1 / base_n)) AS psi_null,
       if(base_n = 0, NULL, sqrt(greatest(0, arraySum((a, b) -> if(a > 0, a * log2(2 * a / (a + b)), 0) + if(b > 0, b * log2(2 * b / (a + b)), 0), p_cell, q_cell) / 2))) AS js,
       if(both, arraySum((width, d) -> width * abs(d), widths, apart), NULL) AS w1,
       multiIf(base_n = 0, NULL, NOT gaps, ks_p, least(1, 2 * least(ifNull(ks_p, 1), missing_p))) AS p,
       missing / n AS missing_rate, if(base_n = 0, NULL, base_missing / base_n) AS base_missing_rate, below / n AS below_rate, above / n AS above_rate,
       if(base_n = 0, NULL, base_outside / base_n) AS base_outside_rate,
       total / nullIf(valid - live_rows[1] - live_rows[-1], 0) AS mean, base_total / nullIf(base_valid - base_rows[1] - base_rows[-1], 0) AS base_mean,
       arrayFilter((k, a, b) -> a + b > 0, bins, live_rows, base_rows) AS bin, arrayFilter((v, a, b) -> a + b > 0, middle, live_rows, base_rows) AS value,
       arrayMap(x -> x / n, arrayFilter((a, b) -> a + b > 0, live_rows, base_rows)) AS share,
       arrayMap(x -> x / greatest(base_n, 1), arrayFilter((b, a) -> a + b > 0, base_rows, live_rows)) AS base_share
FROM
(
    SELECT kind, name, time, grid, digest, base, n, missing, below, above, total, base_n, base_missing, base_outside, base_total,
           live_rows, base_rows, valid, base_valid, both, gaps, apart, tenths, widths, bins, middle,
           arrayMax(d -> abs(d), apart) AS distance, distance * (root + 0.12 + 0.11 / root) AS lambda,
           if(pooled IN (0, 1), 1, erfc(abs(missing / n - base_missing / base_n) / sqrt(2 * pooled * (1 - pooled) * (1 / n + 1 / base_n)))) AS missing_p,
           arrayConcat(if(base_valid = 0, arrayFilter(x -> valid > 0, [valid]), arrayPopFront(arrayMap(x -> x * valid, arrayDifference(arrayConcat([0.], p_cut, [1.]))))), if(gaps, [toFloat64(missing)], [])) AS live_cells,
           arrayConcat(if(base_valid = 0, arrayFilter(x -> valid > 0, [0.]), arrayMap(x -> base_valid / 10, range(10))), if(gaps, [toFloat64(base_missing)], [])) AS base_cells
    FROM
    (
        -- p_cut: P where Q is 1, 2 ... 9 tenths.
        SELECT kind, name, time, grid, digest, base, n, missing, below, above, total, base_n, base_missing, base_outside, base_total,
               live_rows, base_rows, valid, base_valid, tenths, widths, bins, middle,
               arrayMap((a, b) -> a - b, p_sum, q_sum) AS apart, missing > 0 OR base_missing > 0 AS gaps, (missing + base_missing) / (n + base_n) AS pooled,
               valid > 0 AND base_valid > 0 AS both, sqrt(valid * base_valid / (valid + base_valid)) AS root,
               arrayFlatten(arrayMap((upto, x, of) -> arrayMap(part -> upto - x / if(valid = 0, 1, valid) * part, of), p_sum, live_rows, parts)) AS p_cut
        FROM
        (
            SELECT kind, name, grid, digest, base, base_n, base_missing, base_outside, base_total, base_rows, base_valid, q_sum, tenths, parts, widths, bins, middle,
                   one.1 AS time, one.2 AS n, one.3 AS missing, one.4 AS below, one.5 AS above, one.6 AS total, one.7 AS valid,
                   arrayConcat([one.8], arrayResize(arrayConcat(arrayWithConstant(greatest(least(one.10, low + width) - low, 0), 0.), one.11), width), [one.9]) AS live_rows,
                   arrayMap(x -> x / if(valid = 0, 1, valid), arrayCumSum(live_rows)) AS p_sum
            FROM
            (
                -- parts: of each bin in which Q reaches tenths, what is beyond each. widths: from a bin to the next one, infinities left out.
                SELECT kind, name, grid, digest, base, base_n, base_missing, base_outside, base_total, windows, low, width, base_rows, base_valid, q_sum, bins,
                       arrayMap(k -> if(grid.1 = 'unit', (k + 0.5) / 1000, grid.2 + grid.3 * sinh(k / 16)), bins) AS middle,
                       arrayMap((x, i) -> if(i = 1 OR i > width, 0., x), arrayPushBack(arrayPopFront(arrayDifference(middle)), 0.), arrayEnumerate(bins)) AS widths,
                       arrayMap((before, upto, x) -> arrayMap(d -> (upto - d / 10) / (x / base_valid), arrayFilter(d -> before < d / 10 - 1e-12 AND upto >= d / 10 - 1e-12, range(1, 10))),
                           arrayPushFront(arrayPopBack(q_sum), 0.), q_sum, base_rows) AS parts,
                       greatest(arrayCount(of -> notEmpty(of), parts), 1) AS tenths
                FROM
                (
                    SELECT kind, name, grid, digest, base_n, base_missing, base_outside, base_total, windows, low, width, base_valid, if(base_n = 0, '', base_name) AS base,
                           arrayConcat([base_under], arrayResize(arrayConcat(arrayWithConstant(greatest(least(base_low, low + width) - low, 0), 0.), base_dense), width), [base_over]) AS base_rows,
                           arrayMap(x -> x / if(base_valid = 0, 1, base_valid), arrayCumSum(base_rows)) AS q_sum,
                           arrayConcat([-32766], arrayMap(k -> low + k, range(width)), [32766]) AS bins
                    FROM
                    (
                        SELECT kind, name, slot, max(main) AS digest, argMax(main_grid, main_grid.1 != '') AS grid, min(first) AS low, greatest(max(until) - low, 0) AS width,
                               groupArrayIf((time, n, missing, below, above, total, valid, under, over, first, dense), side = 0) AS windows,
                               sumIf(n, side = 1) AS base_n, sumIf(missing, side = 1) AS base_missing, sumIf(below + above, side = 1) AS base_outside, sumIf(total, side = 1) AS base_total,
                               anyIf((base, valid, under, over, first, dense), side = 1) AS other,
                               other.1 AS base_name, other.2 AS base_valid, other.3 AS base_under, other.4 AS base_over, other.5 AS base_low, other.6 AS base_dense
                        FROM <drift_bins: kinds = <kinds>>
                        GROUP BY kind, name, slot
                    )
                )
            )
            ARRAY JOIN windows AS one
        )
    )
)
