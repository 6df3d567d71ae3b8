-- What every drift monitor asks: the two sides of a comparison, counted on one grid, and its figures. Each is written once.
--
-- On which grid each input, score or class is looked at: that of the bundle with most of the predictions asked about.
CREATE VIEW IF NOT EXISTS drift_grids AS
SELECT kind, name, grids.digest AS digest, grids.grid AS own, most.digest AS main,
       argMax(grids.grid, grids.digest = most.digest) OVER (PARTITION BY kind, name) AS main_grid
FROM
(
    SELECT kind, name, digest, (grid, center, scale) AS grid
    FROM baselines FINAL
    WHERE service = {service:String} AND id = concat('reference:', digest) AND kind IN {kinds:Array(String)}
) AS grids
INNER JOIN
(
    SELECT kind, name, argMax(digest, (rows, digest)) AS digest
    FROM
    (
        SELECT kind, name, digest, sum(n) AS rows
        FROM histograms_hour
        WHERE service = {service:String} AND kind IN {kinds:Array(String)} AND {subject:String} IN ('', name)
            AND window >= toStartOfHour({from:DateTime('UTC')}) AND window < {to:DateTime('UTC')}
            AND {version:String} IN ('', version) AND {variant:String} IN ('', variant) AND {tenant:String} IN ('', tenant)
        GROUP BY kind, name, digest
    )
    GROUP BY kind, name
) AS most USING (kind, name)
;
-- Counts by name and window, on those grids. A bin of another grid is split over those that it lies on.
-- take: 'hours' or 'minutes' of production, of which hours need whole hours everywhere; or 'stored', the baseline of that id.
CREATE VIEW IF NOT EXISTS drift_counts AS
WITH
    (grid, at) -> if(grid.1 = 'unit', at / 1000, grid.2 + grid.3 * sinh((at - 0.5) / 16)) AS edge,
    (grid, value) -> if(grid.1 = 'unit', least(greatest(value * 1000, -1), 1001),
                        least(greatest(16 * asinh((value - grid.2) / grid.3) + 0.5, -1431), 1431)) AS place,
    arrayMap(at -> place(main_grid, edge(own, at)), mapKeys(hist)) AS lefts,
    arrayMap(at -> place(main_grid, edge(own, at + 1)), mapKeys(hist)) AS rights,
    (at, l, r) -> if(abs(at) >= 32766, [at], arrayMap(j -> toInt16(j), range(toInt32(floor(l)), toInt32(floor(r)) + 1))) AS cells,
    (at, l, r, rows) -> if(abs(at) >= 32766 OR r <= l, [toFloat64(rows)],
                           arrayMap(j -> rows * (least(r, j + 1.) - greatest(l, j + 0.)) / (r - l), range(toInt32(floor(l)), toInt32(floor(r)) + 1))) AS parts
SELECT kind, name, toStartOfInterval(window, toIntervalSecond({step:UInt32}), 'UTC') AS time, any(main) AS main, any(main_grid) AS grid, any(id) AS base, min(whole) AS whole,
       sum(n) AS n, sum(missing) AS missing, sum(below) AS below, sum(above) AS above, sum(rest) AS rest, sum(total) AS total,
       sumMap(if(own = main_grid OR own.1 = '' OR main_grid.1 = '', CAST(hist, 'Map(Int16, Float64)'),
           CAST(arrayReduce('sumMap', arrayMap((at, l, r) -> cells(at, l, r), mapKeys(hist), lefts, rights),
                            arrayMap((at, l, r, rows) -> parts(at, l, r, rows), mapKeys(hist), lefts, rights, mapValues(hist))),
                'Map(Int16, Float64)'))) AS hist,
       sumMap(words) AS words
FROM
(
    SELECT kind, name, digest, '' AS id, window, n, missing, below, above, rest, total, rest = 0 AS whole, hist, words
    FROM histograms_hour
    WHERE {take:String} = 'hours' AND service = {service:String} AND kind IN {kinds:Array(String)} AND {subject:String} IN ('', name)
        AND window >= {begin:DateTime('UTC')} AND window < {end:DateTime('UTC')}
        AND {of_version:String} IN ('', version) AND {of_variant:String} IN ('', variant) AND {of_tenant:String} IN ('', tenant)
    UNION ALL
    SELECT kind, name, digest, '' AS id, window, n, missing, below, above, rest, total, rest = 0 AS whole, hist, words
    FROM histograms
    WHERE {take:String} = 'minutes' AND service = {service:String} AND kind IN {kinds:Array(String)} AND {subject:String} IN ('', name)
        AND window >= {begin:DateTime('UTC')} AND window < {end:DateTime('UTC')}
        AND {of_version:String} IN ('', version) AND {of_variant:String} IN ('', variant) AND {of_tenant:String} IN ('', tenant)
    UNION ALL
    SELECT kind, name, digest, id, {begin:DateTime('UTC')} AS window, n, missing, below, above, rest, total, whole, hist, words
    FROM baselines FINAL
    WHERE {take:String} = 'stored' AND service = {service:String} AND kind IN {kinds:Array(String)} AND {subject:String} IN ('', name)
        AND id = if({baseline:String} = 'reference', concat('reference:', digest), {baseline:String})
) AS counts
LEFT JOIN drift_grids(service = {service:String}, kinds = {kinds:Array(String)}, subject = {subject:String},
                      version = {version:String}, variant = {variant:String}, tenant = {tenant:String},
                      from = {from:DateTime('UTC')}, to = {to:DateTime('UTC')}) AS grids
    ON counts.kind = grids.kind AND counts.name = grids.name AND counts.digest = grids.digest
WHERE counts.id NOT LIKE 'reference:%' OR counts.digest = grids.main
GROUP BY kind, name, time
;
-- A window of production, and what it is compared with, by name:
--   baseline 'reference'   what the bundle has as normal; of several bundles that with most of the predictions
--   a captured name        what `weir baseline capture` took
--   '', season, pair       production from base_from to base_to, of base_version and base_variant (of a season as asked);
--                          where that is the time asked about, each window with the same window; else by season: all of it
--                          (''), or the same hour, weekday or hour_of_week
-- base_n is 0 where there is nothing to compare with: a feature that is new, a name that nobody captured.
CREATE VIEW IF NOT EXISTS drift_sides AS
WITH
    {baseline:String} IN ('', 'season', 'pair') AS by_time,
    if({baseline:String} = 'season' AND {season:String} = '', 'hour_of_week', {season:String}) AS cycle,
    {base_from:DateTime('UTC')} = {from:DateTime('UTC')} AND {base_to:DateTime('UTC')} = {to:DateTime('UTC')} AS same_window,
    time -> multiIf(NOT by_time, toUInt32(0), same_window, toUInt32(toUnixTimestamp(time)), cycle = 'hour', toUInt32(toHour(time)),
                    cycle = 'weekday', toUInt32(toDayOfWeek(time)), cycle = 'hour_of_week', toUInt32(24 * toDayOfWeek(time) + toHour(time)), toUInt32(0)) AS turn
SELECT live.kind AS kind, live.name AS name, live.time AS time, live.grid AS grid, live.main AS digest,
       live.n AS n, live.missing AS missing, live.below AS below, live.above AS above, live.rest AS rest, live.total AS total,
       live.hist AS hist, live.words AS words,
       multiIf(base.n = 0, '', base.base != '', base.base,
               concat(if(same_window, 'same window', if(cycle = '', 'all', replaceAll(cycle, '_', ' '))), ' of ', toString({base_from:DateTime('UTC')}), ' to ', toString({base_to:DateTime('UTC')}),
                      if({base_version:String} = '', '', concat(', version ', {base_version:String})), if({base_variant:String} = '', '', concat(', variant ', {base_variant:String})))) AS base,
       base.n AS base_n, base.missing AS base_missing, base.outside AS base_outside, base.rest AS base_rest, base.total AS base_total,
       base.whole AS whole, base.hist AS base_hist, base.words AS base_words
FROM
(
    SELECT *, turn(time) AS slot
    FROM drift_counts(service = {service:String}, kinds = {kinds:Array(String)}, subject = {subject:String}, step = {step:UInt32}, baseline = {baseline:String},
                      version = {version:String}, variant = {variant:String}, tenant = {tenant:String},
                      from = {from:DateTime('UTC')}, to = {to:DateTime('UTC')}, begin = {from:DateTime('UTC')}, end = {to:DateTime('UTC')},
                      of_version = {version:String}, of_variant = {variant:String}, of_tenant = {tenant:String},
                      take = if({step:UInt32} % 3600 = 0 AND toUnixTimestamp({from:DateTime('UTC')}) % 3600 = 0
                                    AND toUnixTimestamp({to:DateTime('UTC')}) % 3600 = 0, 'hours', 'minutes'))
) AS live
LEFT JOIN
(
    SELECT kind, name, turn(time) AS slot, any(base) AS base, sum(n) AS n, sum(missing) AS missing, sum(below) + sum(above) AS outside,
           sum(rest) AS rest, sum(total) AS total, min(whole) AS whole, sumMap(hist) AS hist, sumMap(words) AS words
    FROM drift_counts(service = {service:String}, kinds = {kinds:Array(String)}, subject = {subject:String}, step = {step:UInt32}, baseline = {baseline:String},
                      version = {version:String}, variant = {variant:String}, tenant = {tenant:String},
                      from = {from:DateTime('UTC')}, to = {to:DateTime('UTC')}, begin = {base_from:DateTime('UTC')}, end = {base_to:DateTime('UTC')},
                      of_version = if({baseline:String} = 'season', {version:String}, {base_version:String}),
                      of_variant = if({baseline:String} = 'season', {variant:String}, {base_variant:String}), of_tenant = {tenant:String},
                      take = multiIf({baseline:String} NOT IN ('', 'season', 'pair'), 'stored',
                                     ({step:UInt32} % 3600 = 0 OR 3600 % {step:UInt32} = 0 AND {base_from:DateTime('UTC')} != {from:DateTime('UTC')})
                                     AND toUnixTimestamp({base_from:DateTime('UTC')}) % 3600 = 0 AND toUnixTimestamp({base_to:DateTime('UTC')}) % 3600 = 0, 'hours',
                                     'minutes'))
    GROUP BY kind, name, slot
) AS base ON live.kind = base.kind AND live.name = base.name AND live.slot = base.slot
;
-- Figures of numbers. Two cumulative shares P and Q over the bins of both sides; between the edges of bins they are straight.
--   ks        largest difference at an edge; ks_high: more than it cannot be anywhere. ks_p: of no difference, asymptotic
--   psi       over the tenths of the baseline, and over what is missing if anything is; half a prediction more in each cell
--   psi_null  what psi is on average if nothing changed: (cells - 1) (1 / n + 1 / base_n)
--   js        Jensen-Shannon distance over the same cells, base 2, 0 to 1. w1: Wasserstein-1 in the input's unit
--   p         of no difference in values or in what is missing (twice the lesser of both)
-- Source: Kolmogorov's distribution with Stephens' correction (Stephens 1970); Siddiqi 2006 (PSI); Yurdakul 2018 (its mean
-- without change); Endres and Schindelin 2003 (Jensen-Shannon); Vallender 1974 (Wasserstein-1 by cumulative shares).
CREATE VIEW IF NOT EXISTS drift_numbers AS
WITH
    mapFilter((k, v) -> k != 32767, hist) AS here, mapFilter((k, v) -> k != 32767, base_hist) AS there,
    mapAdd(here, mapApply((k, v) -> (k, 0.), there)) AS live_bins, mapAdd(there, mapApply((k, v) -> (k, 0.), here)) AS base_bins,
    mapKeys(live_bins) AS bins, mapValues(live_bins) AS live_rows, mapValues(base_bins) AS base_rows,
    arraySum(live_rows) AS valid, arraySum(base_rows) AS base_valid, valid > 0 AND base_valid > 0 AS both,
    arrayMap(x -> x / if(valid = 0, 1, valid), live_rows) AS p_bin, arrayMap(x -> x / if(base_valid = 0, 1, base_valid), base_rows) AS q_bin,
    arrayCumSum(p_bin) AS p_sum, arrayCumSum(q_bin) AS q_sum,
    arrayMap(d -> least(arrayFirstIndex(x -> x >= d / 10 - 1e-12, q_sum), length(bins)), range(1, 10)) AS cut,
    arrayMap((d, i) -> p_sum[i] - p_bin[i] * (q_sum[i] - d / 10) / q_bin[i], range(1, 10), cut) AS p_cut,
    missing > 0 OR base_missing > 0 AS gaps,
    arrayConcat(if(base_valid = 0, arrayFilter(x -> valid > 0, [valid]), arrayPopFront(arrayMap(x -> x * valid, arrayDifference(arrayConcat([0.], p_cut, [1.]))))), if(gaps, [toFloat64(missing)], [])) AS live_cells,
    arrayConcat(if(base_valid = 0, arrayFilter(x -> valid > 0, [0.]), arrayMap(x -> base_valid / 10, range(10))), if(gaps, [toFloat64(base_missing)], [])) AS base_cells,
    arrayMap(x -> (x + 0.5) / (n + length(live_cells) / 2), live_cells) AS p_half, arrayMap(x -> (x + 0.5) / (base_n + length(base_cells) / 2), base_cells) AS q_half,
    arrayMap(x -> x / n, live_cells) AS p_cell, arrayMap(x -> x / base_n, base_cells) AS q_cell,
    arrayMax((a, b) -> abs(a - b), p_sum, q_sum) AS distance, sqrt(valid * base_valid / (valid + base_valid)) AS root, distance * (root + 0.12 + 0.11 / root) AS lambda,
    arrayMap(k -> if(grid.1 = 'unit', (k + 0.5) / 1000, grid.2 + grid.3 * sinh(k / 16)), bins) AS middle,
    arrayMap((k, x, a, b) -> (abs(k) < 32766, x, abs(a - b)), bins, middle, p_sum, q_sum) AS steps,
    (missing + base_missing) / (n + base_n) AS pooled,
    if(pooled IN (0, 1), 1, erfc(abs(missing / n - base_missing / base_n) / sqrt(2 * pooled * (1 - pooled) * (1 / n + 1 / base_n)))) AS missing_p
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
       total / nullIf(valid - hist[32766] - hist[-32766], 0) AS mean, base_total / nullIf(base_valid - base_hist[32766] - base_hist[-32766], 0) AS base_mean,
       bins AS bin, arrayMap(x -> x / n, live_rows) AS share, arrayMap(x -> x / greatest(base_n, 1), base_rows) AS base_share, middle AS value
FROM drift_sides(service = {service:String}, kinds = {kinds:Array(String)}, subject = {subject:String}, step = {step:UInt32}, baseline = {baseline:String},
                 version = {version:String}, variant = {variant:String}, tenant = {tenant:String}, from = {from:DateTime('UTC')}, to = {to:DateTime('UTC')},
                 base_version = {base_version:String}, base_variant = {base_variant:String}, base_from = {base_from:DateTime('UTC')},
                 base_to = {base_to:DateTime('UTC')}, season = {season:String})
;
-- Figures of words: chi-square of the two rows of counts, with the exact p for its degrees of freedom; PSI and Jensen-Shannon as
-- for numbers, over all words that either side has. Words that are not counted by name are one, and so is what is missing.
-- new_rate: words that the baseline has not; null where it has some that are not counted by name.
-- Source: Pearson's chi-square of homogeneity; Abramowitz and Stegun 26.4.4, 26.4.5 (its distribution by finite sums).
CREATE VIEW IF NOT EXISTS drift_words AS
WITH
    mapAdd(mapApply((k, v) -> (concat('word ', k), v), words), if(rest > 0, map('rest', rest), map()), if(missing > 0, map('missing', missing), map())) AS here,
    mapAdd(mapApply((k, v) -> (concat('word ', k), v), base_words), if(base_rest > 0, map('rest', base_rest), map()), if(base_missing > 0, map('missing', base_missing), map())) AS there,
    mapAdd(here, mapApply((k, v) -> (k, toUInt64(0)), there)) AS live_cells, mapAdd(there, mapApply((k, v) -> (k, toUInt64(0)), here)) AS base_cells,
    mapKeys(live_cells) AS cell, arrayMap(x -> toFloat64(x), mapValues(live_cells)) AS live_rows, arrayMap(x -> toFloat64(x), mapValues(base_cells)) AS base_rows,
    length(cell) AS cells, toUInt32(cells - 1) AS df_,
    arraySum((a, b) -> pow(sqrt(base_n / n) * a - sqrt(n / base_n) * b, 2) / (a + b), live_rows, base_rows) AS square, square / 2 AS y,
    arrayMap(x -> (x + 0.5) / (n + cells / 2), live_rows) AS p_half, arrayMap(x -> (x + 0.5) / (base_n + cells / 2), base_rows) AS q_half,
    arrayMap(x -> x / n, live_rows) AS p_cell, arrayMap(x -> x / base_n, base_rows) AS q_cell,
    base_n > 0 AS both
SELECT kind, name, time, n, base, base_n, digest, cells, 0.5 AS smoothing, 2 AS log_base,
       if(both, square, NULL) AS chi2, df_ AS df,
       multiIf(NOT both, NULL, df_ = 0 OR y <= 0, 1.,
               df_ % 2 = 0, arraySum(j -> exp(-y + j * ln(y) - lgamma(j + 1)), range(intDiv(df_, 2))),
               erfc(sqrt(y)) + arraySum(j -> exp(-y + (j - 0.5) * ln(y) - lgamma(j + 0.5)), range(1, intDiv(df_ + 1, 2)))) AS p,
       if(both, arraySum((a, b) -> (a - b) * ln(a / b), p_half, q_half), NULL) AS psi,
       if(both, (cells - 1) * (1 / n + 1 / base_n), NULL) AS psi_null,
       if(both, sqrt(greatest(0, arraySum((a, b) -> if(a > 0, a * log2(2 * a / (a + b)), 0) + if(b > 0, b * log2(2 * b / (a + b)), 0), p_cell, q_cell) / 2)), NULL) AS js,
       if(both AND whole, arraySum((k, a, b) -> if(b = 0 AND k != 'missing', a, 0), cell, live_rows, base_rows) / n, NULL) AS new_rate,
       arrayMap(k -> substring(k, 6), arrayFilter((k, a, b) -> b = 0 AND startsWith(k, 'word '), cell, live_rows, base_rows)) AS new_words,
       missing / n AS missing_rate, if(both, base_missing / base_n, NULL) AS base_missing_rate, rest / n AS rest_rate,
       cell, p_cell AS share, arrayMap(x -> x / greatest(base_n, 1), base_rows) AS base_share
FROM drift_sides(service = {service:String}, kinds = {kinds:Array(String)}, subject = {subject:String}, step = {step:UInt32}, baseline = {baseline:String},
                 version = {version:String}, variant = {variant:String}, tenant = {tenant:String}, from = {from:DateTime('UTC')}, to = {to:DateTime('UTC')},
                 base_version = {base_version:String}, base_variant = {base_variant:String}, base_from = {base_from:DateTime('UTC')},
                 base_to = {base_to:DateTime('UTC')}, season = {season:String})
