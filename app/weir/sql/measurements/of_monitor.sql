-- name: measurements/of_monitor
-- title: The figures of one monitor of a service
-- grain: subject, segment, begin
-- source: table measurements
-- value: as in the table; of a window that was computed again, the latest
-- panel: none
SELECT * EXCEPT (log_id, log_topic, log_partition, log_offset, recorded_at, measurement_id)
FROM measurements FINAL
WHERE service = {service:String} AND monitor = {monitor:String} AND step_s = {step:UInt32} AND begin >= {from:DateTime64(3)}
ORDER BY begin, subject, segment
