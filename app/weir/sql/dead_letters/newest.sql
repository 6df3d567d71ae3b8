-- name: dead_letters/newest
-- title: The newest letters of a service and reason
-- grain: source_topic, source_log, source_partition, source_offset
-- source: tables dead_letters and redrives
-- value: bytes (of the value), batch (of its redrive, 0 for none), given_up_by
-- panel: table
SELECT concat(source_topic, '/', toString(source_partition), '/', toString(source_offset), '@', source_log) AS id, stage, reason, detail, rejected_at,
       ifNull(length(value), 0) AS bytes, r.batch AS batch, r.given_up_by AS given_up_by
FROM
(
    SELECT stage, reason, detail, value, rejected_at, source_topic, source_log, source_partition, source_offset
    FROM dead_letters
    WHERE service = {service:String} AND reason = {reason:String} AND rejected_at >= {from:DateTime64(3, 'UTC')} AND rejected_at < {to:DateTime64(3, 'UTC')}
    ORDER BY rejected_at DESC, source_topic, source_log, source_partition, source_offset
    LIMIT 1 BY source_topic, source_log, source_partition, source_offset
    LIMIT {limit:UInt32}
) AS l
LEFT JOIN
(
    SELECT max(redrives.batch) AS batch, argMax(redrives.given_up_by, redrives.batch) AS given_up_by, source_topic, source_log, source_partition, source_offset
    FROM redrives
    GROUP BY source_topic, source_log, source_partition, source_offset
) AS r
    ON l.source_topic = r.source_topic AND l.source_log = r.source_log AND l.source_partition = r.source_partition AND l.source_offset = r.source_offset
ORDER BY rejected_at DESC, id
