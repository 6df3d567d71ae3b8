-- name: overview/partitions
-- title: How far each partition of every service is recorded, and which of its offsets are missing
-- grain: service, source_log, source_topic, source_partition
-- source: tables gate_minutes and gate_offsets: offsets between the least and the greatest whose predictions are in the time until `settled`
-- value: newest_ms (event time, of this time; 0 where it has none), predictions, waiting (records behind the last answer that have none), missing (offsets that no entry covers, or that were read and not answered), first_missing (the least of these)
-- panel: none
-- What is read shortly before the end may still be on its way from one table to the other: it is not missing before `settled`.
WITH
    times AS
    (
        SELECT service, source_log, source_topic, source_partition, toUnixTimestamp64Milli(max(gate_minutes.newest)) AS newest_ms,
               sum(gate_minutes.predictions) AS predictions, minIf(gate_minutes.first, minute < {settled:DateTime('UTC')}) AS low,
               maxIf(gate_minutes.last, minute < {settled:DateTime('UTC')}) AS high, min(minute) < {settled:DateTime('UTC')} AS there
        FROM gate_minutes
        WHERE minute >= {from:DateTime('UTC')} AND minute < {to:DateTime('UTC')}
        GROUP BY service, source_log, source_topic, source_partition
    ),
    ends AS
    (
        SELECT service, source_log, source_topic, source_partition, min(first_covered) AS head, max(last_covered) AS tail, max(last_answered) AS answer
        FROM gate_offsets
        GROUP BY service, source_log, source_topic, source_partition
    ),
    known AS
    (
        SELECT e.*, t.newest_ms AS newest_ms, t.predictions AS predictions, t.there AS there, if(t.there, greatest(t.low, e.head), 0) AS low,
               if(t.there, least(t.high, e.tail), -1) AS high, if(t.there, intDiv(greatest(t.low, 0), 65536), intDiv(e.answer, 65536)) AS from_block
        FROM ends AS e
        LEFT JOIN times AS t USING (service, source_log, source_topic, source_partition)
    ),
    bits AS
    (
        SELECT service, source_log, source_topic, source_partition, block, any(k.low) AS low, any(k.high) AS high, any(k.answer) AS answer,
               any(k.newest_ms) AS newest_ms, any(k.predictions) AS predictions, any(k.there) AS there,
               groupBitmapMergeState(o.covered) AS covered, groupBitmapMergeState(o.held) AS held, groupBitmapMergeState(o.answered) AS answered
        FROM gate_offsets AS o
        INNER JOIN known AS k USING (service, source_log, source_topic, source_partition)
        WHERE o.block >= k.from_block
        GROUP BY service, source_log, source_topic, source_partition, block
    ),
    looked AS
    (
        SELECT *, toUInt32(least(greatest(low - block * 65536, 0), 65536)) AS begin, toUInt32(greatest(least(high - block * 65536 + 1, 65536), begin)) AS end,
               bitmapSubsetInRange(bitmapAndnot(held, answered), begin, end) AS unanswered,
               bitmapCardinality(bitmapSubsetInRange(covered, begin, end)) AS is_covered,
               if(is_covered = end - begin, emptyArrayUInt32(), bitmapToArray(bitmapAndnot(bitmapBuild(range(begin, end)), covered))) AS uncovered,
               bitmapCardinality(bitmapSubsetInRange(held, toUInt32(least(greatest(answer + 1 - block * 65536, 0), 65536)), toUInt32(65536))) AS behind,
               arrayMin(arrayConcat(uncovered, bitmapToArray(bitmapSubsetLimit(unanswered, 0, 1)), [toUInt32(65536)])) AS first_here
        FROM bits
    )
SELECT service, source_log, source_topic, source_partition, any(l.newest_ms) AS newest_ms, any(l.predictions) AS predictions, toInt64(sum(l.behind)) AS waiting,
       if(any(l.there), toInt64(greatest(any(l.high) - any(l.low) + 1 - sum(l.is_covered), 0) + sum(bitmapCardinality(l.unanswered))), 0) AS missing,
       multiIf(missing = 0, -1, countIf(l.first_here < 65536) > 0, minIf(l.block * 65536 + l.first_here, l.first_here < 65536), any(l.low)) AS first_missing
FROM looked AS l
GROUP BY service, source_log, source_topic, source_partition
ORDER BY service, source_topic, source_log, source_partition
