-- name: ledger/strips
-- question: Is the data complete?
-- title: Offsets that the ledger leaves out, by partition
-- source: table ledger: entries of scorers by the time at which they were written, each against the furthest before it in the time that is asked about
-- tasks: all
-- time: begin
-- subject: topic partition log
-- value: gaps
-- unit: count
-- n: n
-- page: > 0
-- window: 1h
-- panel: strips
-- verdict: ledger_gaps
-- grain: ledger
-- runbook: ledger
--
-- first, last: offsets that the window's entries cover.
SELECT toStartOfInterval(toDateTime(written_at, 'UTC'), toIntervalSecond({step:UInt32})) AS begin, source_topic AS topic, source_partition AS partition,
       source_log AS log, toUInt64(sum(read)) AS n, sum(entry.scored) AS scored, sum(entry.rejected) AS rejected,
       min(entry.first) AS first, max(entry.last) AS last, sum(gap) AS gaps
FROM
(
    SELECT *, greatest(0, first - 1 - max(last) OVER (PARTITION BY source_topic, source_log, source_partition ORDER BY first, last
                                                      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS behind,
           row_number() OVER (PARTITION BY source_topic, source_log, source_partition ORDER BY first, last) AS place, if(place = 1, 0, behind) AS gap
    FROM ledger
    WHERE service = {service:String} AND written_at >= {from:DateTime} AND written_at < {to:DateTime} AND role = 'scorer'
) AS entry
GROUP BY begin, topic, partition, log
ORDER BY begin, topic, partition, log
