-- name: gate/faults
-- title: Runs of offsets that are not covered by the ledger, or held a record and have no answer
-- grain: source_log, source_topic, source_partition, first
-- source: table gate_offsets; only blocks in which the predictions of the asked time lie, and their neighbours
-- value: first, last (offsets)
-- panel: none
-- Offsets before the first and behind the last covered one are no fault: nobody has read them yet.
WITH
    spans AS
    (
        SELECT source_log, source_topic, source_partition, intDiv(min(first), 65536) - 1 AS low, intDiv(max(last), 65536) + 1 AS high
        FROM gate_minutes
        WHERE service = {service:String} AND minute >= {from:DateTime('UTC')} AND minute < {to:DateTime('UTC')}
        GROUP BY source_log, source_topic, source_partition
    ),
    ends AS
    (
        SELECT source_log, source_topic, source_partition, min(first_covered) AS first_covered, max(last_covered) AS last_covered
        FROM gate_offsets
        WHERE service = {service:String}
        GROUP BY source_log, source_topic, source_partition
        HAVING last_covered >= 0
    ),
    asked AS
    (
        SELECT s.source_log AS source_log, s.source_topic AS source_topic, s.source_partition AS source_partition,
               first_covered, last_covered,
               arrayJoin(range(greatest(low, intDiv(first_covered, 65536)), least(high, intDiv(last_covered, 65536)) + 1)) AS block
        FROM spans AS s
        INNER JOIN ends AS e ON s.source_log = e.source_log AND s.source_topic = e.source_topic AND s.source_partition = e.source_partition
    ),
    bits AS
    (
        SELECT source_log, source_topic, source_partition, block, groupBitmapMergeState(covered) AS covered,
               groupBitmapMergeState(held) AS held, groupBitmapMergeState(answered) AS answered
        FROM gate_offsets
        WHERE service = {service:String} AND block >= (SELECT min(low) FROM spans) AND block <= (SELECT max(high) FROM spans)
        GROUP BY source_log, source_topic, source_partition, block
    ),
    looked AS
    (
        SELECT a.source_log AS source_log, a.source_topic AS source_topic, a.source_partition AS source_partition, a.block AS block,
               toUInt32(greatest(first_covered - block * 65536, 0)) AS begin, toUInt32(least(last_covered - block * 65536, 65535)) AS end,
               bitmapAndnot(b.held, b.answered) AS unanswered,
               if(bitmapCardinality(b.covered) = end - begin + 1, emptyArrayUInt32(), bitmapToArray(bitmapAndnot(bitmapBuild(range(begin, toUInt32(end + 1))), b.covered))) AS uncovered
        FROM asked AS a
        LEFT JOIN bits AS b ON a.source_log = b.source_log AND a.source_topic = b.source_topic AND a.source_partition = b.source_partition AND a.block = b.block
    ),
    found AS
    (
        SELECT source_log, source_topic, source_partition, block,
               arraySort(arrayDistinct(arrayConcat(uncovered, bitmapToArray(unanswered)))) AS offsets
        FROM looked
        WHERE notEmpty(offsets)
    )
SELECT source_log, source_topic, source_partition, block * 65536 + run[1] AS first, block * 65536 + run[-1] AS last
FROM found
ARRAY JOIN arraySplit((offset, step) -> step != 1, offsets, arrayDifference(arrayMap(offset -> toInt64(offset), offsets))) AS run
ORDER BY source_topic, source_log, source_partition, first
