-- name: calibrations/latest
-- title: Calibrated bounds, and the false alarms that may be expected of them
-- grain: of_service, monitor, severity, subject
-- source: table calibrations: of each subject the latest
-- value: bound, a_month (of all subjects of the monitor together, by its latest calibration)
-- panel: none
SELECT c.service AS of_service, c.monitor AS monitor, c.severity AS severity, c.subject AS subject, c.sign AS sign, c.bound AS bound,
       argMax(c.a_month, c.calibrated_at) OVER one AS a_month, argMax(c.low, c.calibrated_at) OVER one AS low,
       argMax(c.high, c.calibrated_at) OVER one AS high, argMax(c.windows, c.calibrated_at) OVER one AS windows,
       argMax(c.end, c.calibrated_at) OVER one AS until
FROM calibrations AS c FINAL
WHERE {service:String} IN ('', c.service)
WINDOW one AS (PARTITION BY c.service, c.monitor, c.severity)
ORDER BY of_service, monitor, severity, subject
