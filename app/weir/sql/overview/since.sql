-- name: overview/since
-- title: The minute of event time in which an offset lies
-- grain: one row
-- source: table gate_minutes: the last minute whose predictions begin at the offset or before it
-- value: since (seconds since 1970; 0 where there is none), minutes (up to it)
-- panel: none
SELECT toUnixTimestamp(max(minute)) AS since, count() AS minutes
FROM gate_minutes
WHERE service = {service:String} AND source_log = {log:String} AND source_topic = {topic:String} AND source_partition = {partition:Int32}
    AND first <= {offset:Int64} AND minute >= {from:DateTime('UTC')} AND minute < {to:DateTime('UTC')}
