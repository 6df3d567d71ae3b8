-- name: dead_letters/groups
-- title: What was turned away, by service and reason, and when
-- grain: service, stage, reason
-- source: table dead_letters; a record that was rejected in two lives of a scorer is one letter
-- value: letters, redriven or given up (records); windows: begin, seconds since 1970 -> letters
-- panel: table
SELECT service, stage, reason, toInt64(count()) AS letters, toInt64(countIf(sent)) AS redriven, max(rejected_at) AS latest,
       argMax(detail, rejected_at) AS latest_detail, argMax(concat(source_topic, '/', toString(source_partition), '/', toString(source_offset), '@', source_log), rejected_at) AS latest_id,
       sumMap(map(intDiv(toUnixTimestamp(toDateTime(rejected_at)), {step:UInt32}) * {step:UInt32}, toUInt64(1))) AS windows
FROM
(
    SELECT service, stage, reason, detail, rejected_at, source_topic, source_log, source_partition, source_offset,
           (source_topic, source_log, source_partition, source_offset) IN (SELECT source_topic, source_log, source_partition, source_offset FROM redrives) AS sent
    FROM dead_letters
    WHERE {service:String} IN ('', service) AND rejected_at >= {from:DateTime64(3, 'UTC')} AND rejected_at < {to:DateTime64(3, 'UTC')}
    LIMIT 1 BY source_topic, source_log, source_partition, source_offset
)
GROUP BY service, stage, reason
ORDER BY letters DESC, service, stage, reason
