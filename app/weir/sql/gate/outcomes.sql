-- name: gate/outcomes
-- title: Offsets at which the outcomes of a window's predictions were read
-- grain: begin, log_id, log_topic, log_partition
-- source: table gate_outcomes; begin is 1970 for outcomes that name their request, whose prediction's time nobody knows there
-- value: first, last (offsets)
-- panel: none
SELECT if(minute = 0, minute, toDateTime(intDiv(toUnixTimestamp(minute), {step:UInt32}) * {step:UInt32}, 'UTC')) AS begin,
       log_id, log_topic, log_partition, min(first) AS first, max(last) AS last
FROM gate_outcomes
WHERE service = {service:String} AND (minute = 0 OR minute >= {from:DateTime('UTC')} AND minute < {to:DateTime('UTC')})
GROUP BY begin, log_id, log_topic, log_partition
ORDER BY begin, log_topic, log_id, log_partition
