-- name: measurements/latest
-- title: Of each figure, what its detector and its alert remember
-- grain: service, monitor, subject, segment, step_s
-- source: table measurements: the greatest revision of each
-- value: begin (of its newest window that said something), revision, memory (after it; empty where none did), written (memory of the figure that was written last)
-- panel: none
SELECT service, monitor, subject, segment, step_s, maxIf(m.begin, spoke) AS begin,
       argMaxIf(m.revision, m.begin, spoke) AS revision, argMaxIf(m.memory, m.begin, spoke) AS memory,
       argMax(m.memory, (recorded_at, log_offset)) AS written
FROM (SELECT *, state NOT IN ('few', 'immature') AS spoke FROM measurements FINAL WHERE begin >= {from:DateTime64(3)}) AS m
GROUP BY service, monitor, subject, segment, step_s
SETTINGS do_not_merge_across_partitions_select_final = 1
