-- A window of production, and what it is compared with, by name:
--   baseline 'reference'   what the bundle has as normal; of several bundles that with most of the predictions
--   a captured name        what `weir baseline capture` took
--   '', season, pair       production from base_from to base_to, of base_version and base_variant (of a season as asked);
--                          where that is the time asked about, each window with the same window; else by season: all of it
--                          (''), or the same hour, weekday or hour_of_week
-- base_n is 0 where there is nothing to compare with: a feature that is new, a name that nobody captured. Hours are read where
-- they divide all bounds. Counts come onto the grid of the bundle with most of the predictions asked about: a bin of another
-- grid is split over those that it lies on. Of the five sides two at most have rows: the others are left out of a statement
-- before it is asked (edges/clickhouse/sides.py), since each makes it longer to plan. So is what lies between the lines "many grids"
-- and "one grid" where one bundle alone answered and its reference is the baseline: its grid comes with that, and no count is split;
-- what tells slots apart where there is one; and conditions that hold for all rows.
-- One row a window, and one for what it is compared with in each slot: windows of a slot have the same.
WITH
    if({baseline:String} = 'season' AND {season:String} = '', 'hour_of_week', {season:String}) AS cycle,
    {base_from:DateTime} = {from:DateTime} AND {base_to:DateTime} = {to:DateTime} AS same_window,
    concat(if(same_window, 'same window', if(cycle = '', 'all', replaceAll(cycle, '_', ' '))), ' of ', toString({base_from:DateTime}), ' to ', toString({base_to:DateTime}),
           if({base_version:String} = '', '', concat(', version ', {base_version:String})), if({base_variant:String} = '', '', concat(', variant ', {base_variant:String}))) AS produced,
    toStartOfInterval(window, toIntervalSecond({step:UInt32}), 'UTC') AS start
SELECT kind, name, side, if(side = 0, start, toDateTime(0, 'UTC')) AS time,
       -- many slots
       multiIf(NOT ({baseline:String} IN ('', 'season', 'pair')), toUInt32(0), same_window, toUInt32(toUnixTimestamp(start)), cycle = 'hour', toUInt32(toHour(start)),
               cycle = 'weekday', toUInt32(toDayOfWeek(start)), cycle = 'hour_of_week', toUInt32(24 * toDayOfWeek(start) + toHour(start)), toUInt32(0)) AS slot,
       -- one slot: toUInt32(0) AS slot,
       max(main) AS main, argMax(main_grid, main_grid.1 != '') AS main_grid, min(whole OR side = 0) AS whole,
       anyIf(id, side = 1) AS base,
       sum(n) AS n, sum(missing) AS missing, sum(below) AS below, sum(above) AS above, sum(rest) AS rest, sum(total) AS total,
       -- many grids
       sumMap(if(same, CAST(hist, 'Map(Int16, Float64)'), CAST(arrayReduce('sumMap',
           arrayMap((at, l, r) -> if(abs(at) >= 32766, [at], arrayMap(j -> toInt16(j), range(toInt32(floor(l)), toInt32(floor(r)) + 1))), mapKeys(hist), lefts, rights),
           arrayMap((at, l, r, v) -> if(abs(at) >= 32766 OR r <= l, [toFloat64(v)],
               arrayMap(j -> v * (least(r, j + 1.) - greatest(l, j + 0.)) / (r - l), range(toInt32(floor(l)), toInt32(floor(r)) + 1))), mapKeys(hist), lefts, rights, mapValues(hist))),
           'Map(Int16, Float64)'))) AS hist,
       -- one grid: sumMap(CAST(hist, 'Map(Int16, Float64)')) AS hist,
       sumMap(words) AS words
FROM
(
    -- many grids
    SELECT *, if(same, [], arrayMap(x -> if(main_grid.1 = 'unit', least(greatest(x * 1000, -1), 1001),
                                            least(greatest(16 * asinh((x - main_grid.2) / main_grid.3) + 0.5, -1431), 1431)), edges)) AS bounds,
           arraySlice(bounds, 1, length(hist)) AS lefts, arraySlice(bounds, length(hist) + 1) AS rights
    FROM
    (
        SELECT counts.kind AS kind, counts.name AS name, id, side, window, n, missing, below, above, rest, total, whole, hist, words, main, main_grid,
               own = main_grid OR own.1 = '' OR main_grid.1 = '' AS same,
               if(same, [], arrayMap(at -> if(own.1 = 'unit', at / 1000, own.2 + own.3 * sinh((at - 0.5) / 16)),
                                     arrayConcat(mapKeys(hist), arrayMap(at -> toInt16(at + 1), mapKeys(hist))))) AS edges
        FROM
        (
    -- one grid: SELECT kind, name, id, side, window, n, missing, below, above, rest, total, whole, hist, words, if(side = 1, digest, '') AS main, own_grid AS main_grid FROM (
            -- side: live, by hour
            SELECT kind, name, digest, '' AS id, 0 AS side, window, n, missing, below, above, rest, total, rest = 0 AS whole, hist, words, CAST(('', 0, 0), 'Tuple(LowCardinality(String), Float64, Float64)') AS own_grid
            FROM histograms_hour
            WHERE service = {service:String} AND kind IN (<kinds>)
                AND ({step:UInt32} % 3600 = 0 AND toUnixTimestamp({from:DateTime}) % 3600 = 0 AND toUnixTimestamp({to:DateTime}) % 3600 = 0) -- chosen
                AND {subject:String} IN ('', name)
                AND window >= {from:DateTime} AND window < {to:DateTime}
                AND {tenant:String} IN ('', tenant)
                AND {team:String} IN ('', team)
                AND {version:String} IN ('', version)
                AND {variant:String} IN ('', variant)
            UNION ALL
            -- side: live, by minute
            SELECT kind, name, digest, '' AS id, 0 AS side, window, n, missing, below, above, rest, total, rest = 0 AS whole, hist, words, CAST(('', 0, 0), 'Tuple(LowCardinality(String), Float64, Float64)') AS own_grid
            FROM histograms
            WHERE service = {service:String} AND kind IN (<kinds>)
                AND NOT ({step:UInt32} % 3600 = 0 AND toUnixTimestamp({from:DateTime}) % 3600 = 0 AND toUnixTimestamp({to:DateTime}) % 3600 = 0) -- chosen
                AND {subject:String} IN ('', name)
                AND window >= {from:DateTime} AND window < {to:DateTime}
                AND {tenant:String} IN ('', tenant)
                AND {team:String} IN ('', team)
                AND {version:String} IN ('', version)
                AND {variant:String} IN ('', variant)
            UNION ALL
            -- side: base, by hour
            SELECT kind, name, digest, produced AS id, 1 AS side, window, n, missing, below, above, rest, total, rest = 0 AS whole, hist, words, CAST(('', 0, 0), 'Tuple(LowCardinality(String), Float64, Float64)') AS own_grid
            FROM histograms_hour
            WHERE service = {service:String} AND kind IN (<kinds>)
                AND {baseline:String} IN ('', 'season', 'pair') AND (({step:UInt32} % 3600 = 0 OR 3600 % {step:UInt32} = 0 AND {base_from:DateTime} != {from:DateTime}) AND toUnixTimestamp({base_from:DateTime}) % 3600 = 0 AND toUnixTimestamp({base_to:DateTime}) % 3600 = 0) -- chosen -- chosen
                AND {subject:String} IN ('', name)
                AND window >= {base_from:DateTime} AND window < {base_to:DateTime}
                AND {tenant:String} IN ('', tenant)
                AND {team:String} IN ('', team)
                AND if({baseline:String} = 'season', {version:String}, {base_version:String}) IN ('', version)
                AND if({baseline:String} = 'season', {variant:String}, {base_variant:String}) IN ('', variant)
            UNION ALL
            -- side: base, by minute
            SELECT kind, name, digest, produced AS id, 1 AS side, window, n, missing, below, above, rest, total, rest = 0 AS whole, hist, words, CAST(('', 0, 0), 'Tuple(LowCardinality(String), Float64, Float64)') AS own_grid
            FROM histograms
            WHERE service = {service:String} AND kind IN (<kinds>)
                AND {baseline:String} IN ('', 'season', 'pair') AND NOT (({step:UInt32} % 3600 = 0 OR 3600 % {step:UInt32} = 0 AND {base_from:DateTime} != {from:DateTime}) AND toUnixTimestamp({base_from:DateTime}) % 3600 = 0 AND toUnixTimestamp({base_to:DateTime}) % 3600 = 0) -- chosen -- chosen
                AND {subject:String} IN ('', name)
                AND window >= {base_from:DateTime} AND window < {base_to:DateTime}
                AND {tenant:String} IN ('', tenant)
                AND {team:String} IN ('', team)
                AND if({baseline:String} = 'season', {version:String}, {base_version:String}) IN ('', version)
                AND if({baseline:String} = 'season', {variant:String}, {base_variant:String}) IN ('', variant)
            UNION ALL
            -- side: base, kept
            SELECT kind, name, digest, id, 1 AS side, toDateTime(0, 'UTC') AS window, n, missing, below, above, rest, total, whole, hist, words, (grid, center, scale) AS own_grid
            FROM baselines FINAL
            WHERE service = {service:String} AND kind IN (<kinds>)
                AND NOT ({baseline:String} IN ('', 'season', 'pair')) -- chosen
                AND {subject:String} IN ('', name)
                AND id = if({baseline:String} = 'reference', concat('reference:', digest), {baseline:String})
            -- sides end
    -- many grids
        ) AS counts
        LEFT JOIN
        (
            SELECT kind, name, grids.digest AS digest, grids.grid AS own, most.digest AS main,
                   argMax(grids.grid, grids.digest = most.digest) OVER (PARTITION BY kind, name) AS main_grid
            FROM
            (
                SELECT kind, name, digest, (grid, center, scale) AS grid
                FROM baselines FINAL
                WHERE service = {service:String} AND id = concat('reference:', digest) AND kind IN (<kinds>)
            ) AS grids
            INNER JOIN
            (
                SELECT kind, name, argMax(digest, (rows, digest)) AS digest
                FROM
                (
                    SELECT kind, name, digest, sum(n) AS rows
                    FROM histograms_hour
                    WHERE service = {service:String} AND kind IN (<kinds>) AND {subject:String} IN ('', name)
                        AND window >= toStartOfHour({from:DateTime}) AND window < {to:DateTime}
                        AND {version:String} IN ('', version) AND {variant:String} IN ('', variant) AND {tenant:String} IN ('', tenant) AND {team:String} IN ('', team)
                    GROUP BY kind, name, digest
                )
                GROUP BY kind, name
            ) AS most USING (kind, name)
        ) AS grids ON counts.kind = grids.kind AND counts.name = grids.name AND counts.digest = grids.digest
        WHERE counts.id NOT LIKE 'reference:%' OR counts.digest = grids.main
    )
    -- one grid: ) AS counts WHERE side = 0 OR digest = the_one
)
GROUP BY kind, name, side, slot, time
