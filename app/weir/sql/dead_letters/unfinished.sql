-- name: dead_letters/unfinished
-- title: Letters announced for redrive, not noted in the log, and not given up
-- grain: source_topic, source_log, source_partition, source_offset
-- source: tables redrives and redriven
-- value: age_s (seconds since the announcement, by the server's clock)
-- panel: none
SELECT batch, toString(run) AS run, worker, service, source_topic, source_log, source_partition, source_offset, repair,
       hex(key) AS key_hex, hex(value) AS value_hex, into_log, log_begin, dateDiff('millisecond', announced_at, now64(3)) / 1000 AS age_s
FROM (SELECT * FROM redrives ORDER BY batch DESC LIMIT 1 BY source_topic, source_log, source_partition, source_offset)
WHERE given_up_by = ''
    AND (source_topic, source_log, source_partition, source_offset) NOT IN (SELECT source_topic, source_log, source_partition, source_offset FROM redriven)
ORDER BY batch DESC, source_topic, source_log, source_partition, source_offset
