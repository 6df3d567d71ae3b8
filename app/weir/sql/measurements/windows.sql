-- name: measurements/windows
-- title: Which windows were computed, and what they covered
-- grain: service, monitor, step_s, begin
-- source: table measurements
-- value: revision, covers (of its latest; none where that failed), age_s (of the window's end then, by the newest event), early (it was not complete), computed_at (of the first computation that is kept)
-- panel: none
SELECT service, monitor, step_s, begin, max(measurements.revision) AS revision,
       argMax(if(measurements.state = 'failed', [], measurements.covers), (measurements.revision, log_offset)) AS covers,
       argMax(JSONExtractFloat(measurements.details, 'age_s'), (measurements.revision, log_offset)) AS age_s,
       argMax(JSONExtractBool(measurements.details, 'early'), (measurements.revision, log_offset)) AS early,
       min(measurements.computed_at) AS computed_at
FROM measurements
WHERE measurements.begin >= {from:DateTime64(3)}
GROUP BY service, monitor, step_s, begin
