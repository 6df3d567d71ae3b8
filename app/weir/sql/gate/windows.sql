-- name: gate/windows
-- title: Offsets of each partition whose predictions are in a window
-- grain: begin, source_log, source_topic, source_partition
-- source: table gate_minutes
-- value: first, last (offsets), predictions
-- panel: none
SELECT toDateTime(intDiv(toUnixTimestamp(minute), {step:UInt32}) * {step:UInt32}, 'UTC') AS begin,
       source_log, source_topic, source_partition, min(first) AS first, max(last) AS last, sum(predictions) AS predictions
FROM gate_minutes
WHERE service = {service:String} AND minute >= {from:DateTime('UTC')} AND minute < {to:DateTime('UTC')}
GROUP BY begin, source_log, source_topic, source_partition
ORDER BY begin, source_topic, source_log, source_partition
