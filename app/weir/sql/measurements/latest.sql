-- name: measurements/latest
-- title: Of each figure, what its detector and its alert remember
-- grain: service, monitor, subject, segment, step_s
-- source: table measurements
-- value: begin (of its newest window), revision, memory (after it), written (memory of the figure that was written last)
-- panel: none
SELECT service, monitor, subject, segment, step_s, max(measurements.begin) AS begin,
       argMax(measurements.revision, (measurements.begin, measurements.revision)) AS revision,
       argMax(measurements.memory, (measurements.begin, measurements.revision)) AS memory,
       argMax(measurements.memory, (recorded_at, log_offset)) AS written
FROM measurements
WHERE measurements.begin >= {from:DateTime64(3)}
GROUP BY service, monitor, subject, segment, step_s
