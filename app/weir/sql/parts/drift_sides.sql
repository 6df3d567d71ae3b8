-- Each window with what it is compared with: sql/parts/drift_groups.sql.
SELECT kind, name, one.1 AS time, grid, digest, one.2 AS n, one.3 AS missing, one.4 AS below, one.5 AS above, one.6 AS rest, one.7 AS total, one.8 AS hist, one.9 AS words,
       base_name AS base, base_n, base_missing, base_outside, base_rest, base_total, base_whole AS whole, base_hist, base_words
FROM
(
    SELECT kind, name, slot, max(main) AS digest, argMax(main_grid, main_grid.1 != '') AS grid,
           groupArrayIf((time, n, missing, below, above, rest, total, hist, words), side = 0) AS windows,
           sumIf(n, side = 1) AS base_n, if(base_n = 0, '', anyIf(base, side = 1)) AS base_name,
           sumIf(missing, side = 1) AS base_missing, sumIf(below + above, side = 1) AS base_outside,
           sumIf(rest, side = 1) AS base_rest, sumIf(total, side = 1) AS base_total, min(whole) AS base_whole, anyIf(hist, side = 1) AS base_hist, anyIf(words, side = 1) AS base_words
    FROM <drift_groups: kinds = <kinds>>
    GROUP BY kind, name, slot
)
ARRAY JOIN windows AS one
