-- name: gate/batches
-- title: Offsets of each partition that were scored, or rejected, in a window
-- grain: begin, source_log, source_topic, source_partition
-- source: table gate_batches, whose minutes are those of the scoring
-- value: first, last (offsets)
-- panel: none
SELECT toDateTime(intDiv(toUnixTimestamp(minute), {step:UInt32}) * {step:UInt32}, 'UTC') AS begin,
       source_log, source_topic, source_partition, min(gate_batches.first) AS first, max(gate_batches.last) AS last
FROM gate_batches
WHERE service = {service:String} AND minute >= {from:DateTime('UTC')} AND minute < {to:DateTime('UTC')}
GROUP BY begin, source_log, source_topic, source_partition
ORDER BY begin, source_topic, source_log, source_partition
