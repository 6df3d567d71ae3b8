-- Counts of numbers as arrays: of bins `first` to before `until`, one count each; those of infinities are under and over; valid, all
-- of them. Of no count at all `first` is above, and `until` below, whatever others have.
SELECT kind, name, side, time, slot, main, main_grid, base, n, missing, below, above, total, under, over, arraySum(counts) + under + over AS valid,
       if(empty(bins), 32000, toInt32(bins[1])) AS first, if(empty(bins), -32000, toInt32(bins[-1] + 1)) AS until,
       -- Zeros for the bins that lie between two that have a count.
       if(until - first <= length(bins), counts,
          arrayFlatten(arrayMap((x, gap) -> arrayResize([x], gap), counts, arrayPopFront(arrayPushBack(arrayDifference(bins), 1))))) AS dense
FROM
(
    SELECT kind, name, side, time, slot, main, main_grid, base, n, missing, below, above, total, mapKeys(hist) AS keys, mapValues(hist) AS rows,
           keys[1] = -32766 AS lows, toUInt8(keys[-1] >= 32766) + (keys[-2] = 32766) AS highs,
           arraySlice(keys, lows + 1, length(keys) - lows - highs) AS bins, arraySlice(rows, lows + 1, length(keys) - lows - highs) AS counts,
           if(lows, rows[1], 0.) AS under, multiIf(keys[-1] = 32766, rows[-1], keys[-2] = 32766, rows[-2], 0.) AS over
    FROM <drift_groups: kinds = <kinds>>
)
