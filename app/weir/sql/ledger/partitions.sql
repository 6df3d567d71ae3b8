-- name: ledger/partitions
-- title: Ledger, by partition
-- grain: role, service, source_topic, source_partition
-- source: design.md, decision 5: chunks tile the offsets, and every offset read is answered once
-- value: gaps, missing, duplicates, stray, unbalanced (offsets, rows or entries at fault; all 0 when the ledger is whole)
-- page: 1
-- panel: table
--
-- gaps:       offsets that no entry covers, between the first and the last covered one
-- read:       records in the union of [first, last] of all entries (a replay repeats entries, with other boundaries)
-- scored:     offsets read with a prediction at least; rejected: offsets read with a dead letter and no prediction
-- missing:    offsets read with neither
-- duplicates: rows beyond one for a (topic, partition, offset, variant) of predictions, or an offset of dead letters
-- stray:      offsets answered that no entry covers
-- pending:    offsets that would be missing or stray, but for less than settle_s seconds: entries and answers are topics of
--             their own and never recorded in one moment; none if settle_s is 0, whatever the server's clock did meanwhile
-- both:       offsets with a prediction and a dead letter: scored in one life of a scorer, rejected in another; no fault
-- unbalanced: entries whose own counts do not add up (read = scored + rejected)
WITH
    entries AS         -- twice: as recorded, and those alone that are settled
    (
        SELECT role, service, source_topic, source_partition, first, last, read, scored, rejected,
               arrayJoin(recorded_at <= now() - {settle_s:UInt32} OR {settle_s:UInt32} = 0 ? [0, 1] : [0]) AS settled
        FROM ledger
        WHERE {service:String} IN ('', service)
    ),
    marked AS
    (
        SELECT *, place = 1 OR first > covered + 1 AS begins,
               place > 1 AND first > covered + 1 ? first - covered - 1 : 0 AS hole,
               -- records that the log itself lacks; where entries overlap this cannot be known, and none are assumed
               place = 1 OR first > covered ? last - first + 1 - read : 0 AS absent
        FROM
        (
            SELECT *,
                   row_number() OVER (PARTITION BY role, service, source_topic, source_partition, settled ORDER BY first, last) AS place,
                   max(last) OVER (PARTITION BY role, service, source_topic, source_partition, settled ORDER BY first, last
                                   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS covered
            FROM entries
        )
    ),
    stretches AS       -- maximal runs of covered offsets
    (
        SELECT role, service, source_topic, source_partition, settled, stretch, min(first) AS low, max(last) AS high,
               count() AS n_entries, sum(hole) AS n_gaps, max(last) - min(first) + 1 - sum(absent) AS n_read,
               countIf(read != scored + rejected) AS n_unbalanced
        FROM
        (
            SELECT *, sum(begins) OVER (PARTITION BY role, service, source_topic, source_partition, settled ORDER BY place) AS stretch
            FROM marked
        )
        GROUP BY role, service, source_topic, source_partition, settled, stretch
    ),
    answers AS         -- one row an answered offset
    (
        SELECT service, source_topic, source_partition, source_offset,
               sum(of_scores) AS n_scores, sum(of_letters) AS n_letters, sum(beyond_one) AS n_beyond, min(since) AS since
        FROM
        (
            SELECT service, source_topic, source_partition, source_offset,
                   count() AS of_scores, 0 AS of_letters, count() - uniqExact(variant) AS beyond_one, min(recorded_at) AS since
            FROM predictions WHERE {service:String} IN ('', service)
            GROUP BY service, source_topic, source_partition, source_offset
            UNION ALL
            SELECT service, source_topic, source_partition, source_offset, 0, count(), count() - 1, min(recorded_at)
            FROM dead_letters WHERE service != '' AND {service:String} IN ('', service)
            GROUP BY service, source_topic, source_partition, source_offset
        )
        GROUP BY service, source_topic, source_partition, source_offset
    ),
    placed AS
    (
        SELECT a.service AS service, a.source_topic AS source_topic, a.source_partition AS source_partition,
               s.n_entries > 0 AND a.source_offset <= s.high AS inside,
               t.n_entries > 0 AND a.source_offset <= t.high AS settled_inside,
               a.since <= now() - {settle_s:UInt32} OR {settle_s:UInt32} = 0 AS settled,
               a.n_scores AS n_scores, a.n_letters AS n_letters, a.n_beyond AS n_beyond
        FROM answers AS a
        ASOF LEFT JOIN (SELECT * FROM stretches WHERE role = 'scorer' AND NOT settled) AS s
            ON a.service = s.service AND a.source_topic = s.source_topic AND a.source_partition = s.source_partition
            AND a.source_offset >= s.low
        ASOF LEFT JOIN (SELECT * FROM stretches WHERE role = 'scorer' AND settled) AS t
            ON a.service = t.service AND a.source_topic = t.source_topic AND a.source_partition = t.source_partition
            AND a.source_offset >= t.low
    ),
    counted AS
    (
        SELECT role, service, source_topic, source_partition, low, high, n_entries, n_read, n_gaps, n_unbalanced,
               0 AS n_scored, 0 AS n_rejected, 0 AS n_both, 0 AS n_duplicates, 0 AS n_outside, 0 AS n_early, 0 AS n_unanswered
        FROM stretches
        WHERE NOT settled
        UNION ALL
        SELECT role, service, source_topic, source_partition, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n_read
        FROM stretches
        WHERE settled
        UNION ALL
        SELECT 'scorer', service, source_topic, source_partition, 0, 0, 0, 0, 0, 0,
               countIf(inside AND n_scores > 0), countIf(inside AND n_scores = 0), countIf(n_scores > 0 AND n_letters > 0),
               sum(n_beyond), countIf(NOT inside AND settled), countIf(NOT inside AND NOT settled), -countIf(settled_inside)
        FROM placed
        GROUP BY service, source_topic, source_partition
    )
SELECT role, service, source_topic, source_partition,
       minIf(low, n_entries > 0) AS first, maxIf(high, n_entries > 0) AS last, sum(n_entries) AS entries,
       toInt64(sum(n_read)) AS read, toInt64(sum(n_scored)) AS scored, toInt64(sum(n_rejected)) AS rejected,
       toInt64(sum(n_both)) AS both, toInt64(sum(n_gaps)) AS gaps,
       role = 'scorer' ? greatest(toInt64(sum(n_unanswered)), 0) : 0 AS missing,
       toInt64(sum(n_duplicates)) AS duplicates,
       toInt64(sum(n_outside)) + (role = 'scorer' ? greatest(scored + rejected - read, 0) : 0) AS stray,
       toInt64(sum(n_unbalanced)) AS unbalanced,
       role = 'scorer' ? greatest(read - scored - rejected - missing, 0) + toInt64(sum(n_early)) : 0 AS pending
FROM counted
GROUP BY role, service, source_topic, source_partition
ORDER BY role DESC, service, source_topic, source_partition
