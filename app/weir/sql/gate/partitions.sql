-- name: gate/partitions
-- title: How far each partition is read, answered and recorded
-- grain: source_log, source_topic, source_partition
-- source: tables gate_offsets and gate_minutes
-- value: newest (event time), first_covered, last_covered (offsets), last_answered, waiting (records behind the last answer)
-- panel: none
WITH
    ends AS
    (
        SELECT source_log, source_topic, source_partition,
               min(first_covered) AS low, max(last_covered) AS high, max(last_answered) AS answer
        FROM gate_offsets WHERE service = {service:String}
        GROUP BY source_log, source_topic, source_partition
    ),
    tails AS
    (
        SELECT o.source_log AS source_log, o.source_topic AS source_topic, o.source_partition AS source_partition, o.block AS block,
               any(e.answer) AS answer, groupBitmapMergeState(o.held) AS bits
        FROM gate_offsets AS o
        INNER JOIN ends AS e ON o.source_log = e.source_log AND o.source_topic = e.source_topic AND o.source_partition = e.source_partition
        WHERE o.service = {service:String} AND o.block >= intDiv(e.answer, 65536)
        GROUP BY source_log, source_topic, source_partition, block
    ),
    left AS
    (
        SELECT source_log, source_topic, source_partition,
               sum(bitmapCardinality(bitmapSubsetInRange(bits, toUInt32(greatest(answer + 1 - block * 65536, 0)), toUInt32(65536)))) AS waiting
        FROM tails
        GROUP BY source_log, source_topic, source_partition
    ),
    times AS
    (
        SELECT source_log, source_topic, source_partition, max(newest) AS newest
        FROM gate_minutes WHERE service = {service:String}
        GROUP BY source_log, source_topic, source_partition
    )
SELECT e.source_log AS source_log, e.source_topic AS source_topic, e.source_partition AS source_partition,
       t.newest AS newest, low AS first_covered, high AS last_covered, answer AS last_answered, l.waiting AS waiting
FROM ends AS e
LEFT JOIN left AS l ON e.source_log = l.source_log AND e.source_topic = l.source_topic AND e.source_partition = l.source_partition
LEFT JOIN times AS t ON e.source_log = t.source_log AND e.source_topic = t.source_topic AND e.source_partition = t.source_partition
ORDER BY source_topic, source_log, source_partition
