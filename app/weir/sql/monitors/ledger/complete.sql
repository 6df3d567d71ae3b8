-- name: ledger/complete
-- question: Is every request accounted for?
-- title: Offsets that were read and have no answer, or that no entry covers
-- source: tables gate_minutes and gate_offsets: bits of offsets between the least and the greatest whose predictions are in the window
-- tasks: all
-- time: begin
-- subject: topic partition log
-- value: missing
-- unit: count
-- n: n
-- page: > 0
-- window: 1h
-- panel: strips
-- verdict: ledger
-- grain: gate_minutes gate_offsets
-- runbook: ledger
--
-- covered, answered: offsets of the window's stretch. What is still on its way counts as missing until it is recorded.
WITH
    spans AS
    (
        SELECT toStartOfInterval(minute, toIntervalSecond({step:UInt32})) AS begin, source_topic AS topic, source_partition AS partition, source_log AS log,
               min(gate_minutes.first) AS first, max(gate_minutes.last) AS last, sum(predictions) AS n
        FROM gate_minutes
        WHERE service = {service:String} AND minute >= {from:DateTime} AND minute < {to:DateTime}
        GROUP BY begin, topic, partition, log
    ),
    blocks AS
    (
        SELECT *, arrayJoin(range(toUInt64(intDiv(first, 65536)), toUInt64(intDiv(last, 65536)) + 1))::Int64 AS block FROM spans
    ),
    bits AS
    (
        SELECT source_topic AS topic, source_partition AS partition, source_log AS log, block, groupBitmapMergeState(gate_offsets.covered) AS covered,
               groupBitmapMergeState(held) AS held, groupBitmapMergeState(gate_offsets.answered) AS answered
        FROM gate_offsets
        WHERE service = {service:String} AND block >= (SELECT min(block) FROM blocks) AND block <= (SELECT max(block) FROM blocks)
        GROUP BY topic, partition, log, block
    ),
    counted AS
    (
        SELECT begin, topic, partition, log, n, first, last, toUInt32(greatest(first - block * 65536, 0)) AS low, toUInt32(least(last - block * 65536, 65535)) + 1 AS end,
               bitmapCardinality(bitmapSubsetInRange(covered, low, end)) AS is_covered, bitmapCardinality(bitmapSubsetInRange(answered, low, end)) AS is_answered,
               bitmapCardinality(bitmapSubsetInRange(bitmapAndnot(held, answered), low, end)) AS unanswered
        FROM blocks LEFT JOIN bits USING (topic, partition, log, block)
    )
SELECT begin, topic, partition, log, any(counted.n) AS n, any(counted.first) AS first, any(counted.last) AS last,
       sum(is_covered) AS covered, sum(is_answered) AS answered, toInt64(last - first + 1 - covered + sum(unanswered)) AS missing
FROM counted
GROUP BY begin, topic, partition, log
ORDER BY begin, topic, partition, log
