-- name: dead_letters/letters
-- title: Dead letters, one row each
-- grain: source_topic, source_log, source_partition, source_offset
-- source: table dead_letters; ids: "topic/partition/offset@log", all when empty
-- value: redriven_in (batch, 0: not redriven), given_up_by (in that batch, empty: it was sent), answered (a prediction of the same record: another life of the scorer)
-- panel: none
-- Bytes come in hexadecimal: what was rejected need not be text.
SELECT service, stage, reason, detail, source_topic, source_log, source_partition, source_offset, hex(key) AS key_hex, hex(value) AS value_hex,
       payload_sha256, rejected_at, log_id, log_topic, log_partition, log_offset, r.batch AS redriven_in, r.given_up_by AS given_up_by,
       (source_topic, source_log, source_partition, source_offset) IN
       (
           SELECT source_topic, source_log, source_partition, source_offset FROM predictions
           WHERE {service:String} IN ('', service)
               AND (source_topic, source_log, source_partition, source_offset) IN (SELECT source_topic, source_log, source_partition, source_offset FROM dead_letters)
       ) AS answered
FROM
(
    SELECT *, payload_sha256 FROM dead_letters
    WHERE {service:String} IN ('', service) AND {reason:String} IN ('', reason)
        AND rejected_at >= {from:DateTime64(3, 'UTC')} AND rejected_at < {to:DateTime64(3, 'UTC')}
        AND (empty({ids:Array(String)}) OR concat(source_topic, '/', toString(source_partition), '/', toString(source_offset), '@', source_log) IN {ids:Array(String)})
    ORDER BY rejected_at, source_topic, source_log, source_partition, source_offset
    LIMIT 1 BY source_topic, source_log, source_partition, source_offset
) AS l
LEFT JOIN
(
    SELECT max(redrives.batch) AS batch, argMax(redrives.given_up_by, redrives.batch) AS given_up_by, source_topic, source_log, source_partition, source_offset FROM redrives
    GROUP BY source_topic, source_log, source_partition, source_offset
) AS r
    ON l.source_topic = r.source_topic AND l.source_log = r.source_log AND l.source_partition = r.source_partition AND l.source_offset = r.source_offset
WHERE NOT {open:Bool} OR (redriven_in = 0 AND NOT answered)
ORDER BY rejected_at, source_topic, source_log, source_partition, source_offset
LIMIT {limit:UInt32}
