-- name: measurements/recorded
-- title: The last measurement, alert and action that are recorded of each log
-- grain: log_topic, log_id
-- source: tables measurements, alerts and actions
-- value: place (offset), service, monitor, step_s, begin (of that measurement; empty of others)
-- panel: none
SELECT log_topic, log_id, max(log_offset) AS place, argMax(measurements.service, log_offset) AS service,
       argMax(measurements.monitor, log_offset) AS monitor, argMax(measurements.step_s, log_offset) AS step_s,
       argMax(measurements.begin, log_offset) AS begin
FROM measurements GROUP BY log_topic, log_id
UNION ALL
SELECT log_topic, log_id, max(log_offset), '', '', 0, toDateTime64(0, 3, 'UTC') FROM alerts GROUP BY log_topic, log_id
UNION ALL
SELECT log_topic, log_id, max(log_offset), '', '', 0, toDateTime64(0, 3, 'UTC') FROM actions GROUP BY log_topic, log_id
