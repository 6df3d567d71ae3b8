-- name: measurements/recorded
-- title: The last measurement and the last alert that are recorded of each log
-- grain: log_topic, log_id
-- source: tables measurements and alerts
-- value: place (offset), service, monitor, step_s, begin (of that measurement; empty of an alert)
-- panel: none
SELECT log_topic, log_id, max(log_offset) AS place, argMax(measurements.service, log_offset) AS service,
       argMax(measurements.monitor, log_offset) AS monitor, argMax(measurements.step_s, log_offset) AS step_s,
       argMax(measurements.begin, log_offset) AS begin
FROM measurements GROUP BY log_topic, log_id
UNION ALL
SELECT log_topic, log_id, max(log_offset), '', '', 0, toDateTime64(0, 3, 'UTC') FROM alerts GROUP BY log_topic, log_id
