-- name: ledger/partitions
-- title: Ledger, by partition
-- grain: role, service, source_topic, source_log, source_partition
-- source: the tables ledger, predictions and dead_letters: entries tile the offsets, and every offset read is answered once
-- value: gaps, missing, duplicates, stray, unbalanced (offsets, rows or entries at fault; all 0 when the ledger is complete)
-- page: 1
-- panel: table
--
-- gaps:       offsets that no entry covers, between the first and the last covered one
-- read:       offsets that held a record when they were read, of all entries (a replay repeats entries, with other boundaries)
-- scored:     offsets read with a prediction at least; rejected: offsets read with a dead letter and no prediction
-- missing:    offsets read with neither
-- duplicates: rows of predictions beyond one for an offset, whichever variants gave them; and of dead letters
-- stray:      offsets answered that no entry covers
-- pending:    offsets that would be missing or stray, but for less than settle_s seconds: entries and answers are topics of
--             their own and never recorded in one moment; none if settle_s is 0, whatever the server's clock did meanwhile
-- both:       offsets with a prediction and a dead letter: scored in one life of a scorer, rejected in another; no fault
-- unbalanced: entries whose own counts do not add up (read = scored + rejected = offsets from first to last, less the holes)
WITH
    entries AS
    (
        SELECT role, service, source_topic, source_log, source_partition, count() AS n_entries,
               countIf(read != scored + rejected OR read != last - first + 1 - arraySum(hole -> hole.last - hole.first + 1, holes)) AS n_unbalanced
        FROM ledger
        WHERE {service:String} IN ('', service)
        GROUP BY role, service, source_topic, source_log, source_partition
    ),
    stretches AS       -- twice: of all entries, and of those alone that are settled
    (
        SELECT *, false AS settled FROM ledger_stretches(service = {service:String}, settle_s = 0)
        UNION ALL
        SELECT *, true FROM ledger_stretches(service = {service:String}, settle_s = {settle_s:UInt32})
    ),
    answers AS         -- one row an answered offset
    (
        SELECT service, source_topic, source_log, source_partition, source_offset,
               sum(of_scores) AS n_scores, sum(of_letters) AS n_letters, sum(beyond_one) AS n_beyond, min(since) AS since
        FROM
        (
            SELECT service, source_topic, source_log, source_partition, source_offset,
                   count() AS of_scores, 0 AS of_letters, count() - 1 AS beyond_one, min(recorded_at) AS since
            FROM predictions WHERE {service:String} IN ('', service)
            GROUP BY service, source_topic, source_log, source_partition, source_offset
            UNION ALL
            SELECT service, source_topic, source_log, source_partition, source_offset, 0, count(), count() - 1, min(recorded_at)
            FROM dead_letters WHERE service != '' AND {service:String} IN ('', service)
            GROUP BY service, source_topic, source_log, source_partition, source_offset
        )
        GROUP BY service, source_topic, source_log, source_partition, source_offset
    ),
    placed AS
    (
        SELECT a.service AS service, a.source_topic AS source_topic, a.source_log AS source_log, a.source_partition AS source_partition,
               s.found AND a.source_offset <= s.high AS inside,
               t.found AND a.source_offset <= t.high AS settled_inside,
               a.since <= now() - {settle_s:UInt32} OR {settle_s:UInt32} = 0 AS settled,
               a.n_scores AS n_scores, a.n_letters AS n_letters, a.n_beyond AS n_beyond
        FROM answers AS a
        ASOF LEFT JOIN (SELECT *, true AS found FROM stretches WHERE role = 'scorer' AND kind = 'read' AND NOT settled) AS s
            ON a.service = s.service AND a.source_topic = s.source_topic AND a.source_log = s.source_log AND a.source_partition = s.source_partition
            AND a.source_offset >= s.low
        ASOF LEFT JOIN (SELECT *, true AS found FROM stretches WHERE role = 'scorer' AND kind = 'read' AND settled) AS t
            ON a.service = t.service AND a.source_topic = t.source_topic AND a.source_log = t.source_log AND a.source_partition = t.source_partition
            AND a.source_offset >= t.low
    ),
    counted AS
    (
        SELECT role, service, source_topic, source_log, source_partition, n_entries, n_unbalanced, 0 AS low, 0 AS high, 0 AS n_covered,
               0 AS n_read, 0 AS n_scored, 0 AS n_rejected, 0 AS n_both, 0 AS n_duplicates, 0 AS n_outside, 0 AS n_early, 0 AS n_unanswered
        FROM entries
        UNION ALL
        SELECT role, service, source_topic, source_log, source_partition, 0, 0, min(low), max(high), sum(high - low + 1),
               0, 0, 0, 0, 0, 0, 0, 0
        FROM stretches WHERE kind = 'covered' AND NOT settled
        GROUP BY role, service, source_topic, source_log, source_partition
        UNION ALL
        SELECT role, service, source_topic, source_log, source_partition, 0, 0, 0, 0, 0,
               sumIf(high - low + 1, NOT settled), 0, 0, 0, 0, 0, 0, sumIf(high - low + 1, settled)
        FROM stretches WHERE kind = 'read'
        GROUP BY role, service, source_topic, source_log, source_partition
        UNION ALL
        SELECT 'scorer', service, source_topic, source_log, source_partition, 0, 0, 0, 0, 0,
               0, countIf(inside AND n_scores > 0), countIf(inside AND n_scores = 0), countIf(n_scores > 0 AND n_letters > 0),
               sum(n_beyond), countIf(NOT inside AND settled), countIf(NOT inside AND NOT settled), -countIf(settled_inside)
        FROM placed
        GROUP BY service, source_topic, source_log, source_partition
    )
SELECT role, service, source_topic, source_log, source_partition,
       toInt64(sum(c.low)) AS first, toInt64(sum(c.high)) AS last, toInt64(sum(n_entries)) AS entries,
       toInt64(sum(n_read)) AS read, toInt64(sum(n_scored)) AS scored, toInt64(sum(n_rejected)) AS rejected,
       toInt64(sum(n_both)) AS both, (entries > 0 ? last - first + 1 : 0) - toInt64(sum(n_covered)) AS gaps,
       role = 'scorer' ? toInt64(sum(n_unanswered)) : 0 AS missing,
       toInt64(sum(n_duplicates)) AS duplicates, toInt64(sum(n_outside)) AS stray, toInt64(sum(n_unbalanced)) AS unbalanced,
       role = 'scorer' ? read - scored - rejected - missing + toInt64(sum(n_early)) : 0 AS pending
FROM counted AS c
GROUP BY role, service, source_topic, source_log, source_partition
ORDER BY role DESC, service, source_topic, source_log, source_partition
