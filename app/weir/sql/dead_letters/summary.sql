-- name: dead_letters/summary
-- title: Dead letters, by service and reason
-- grain: service, stage, reason
-- source: table dead_letters; a letter is open until it is redriven, given up, or answered by another life of the scorer
-- value: letters, open (records)
-- panel: table
SELECT service, stage, reason, toInt64(count()) AS letters, toInt64(countIf(NOT redriven AND NOT answered)) AS open,
       min(rejected_at) AS first, max(rejected_at) AS latest, argMax(detail, rejected_at) AS latest_detail
FROM
(
    SELECT *, (source_topic, source_log, source_partition, source_offset) IN (SELECT source_topic, source_log, source_partition, source_offset FROM redrives) AS redriven,
           (source_topic, source_log, source_partition, source_offset) IN
           (
               SELECT source_topic, source_log, source_partition, source_offset FROM predictions
               WHERE {service:String} IN ('', service)
                   AND (source_topic, source_log, source_partition, source_offset) IN (SELECT source_topic, source_log, source_partition, source_offset FROM dead_letters)
           ) AS answered
    FROM dead_letters
    WHERE {service:String} IN ('', service) AND {reason:String} IN ('', reason)
        AND rejected_at >= {from:DateTime64(3, 'UTC')} AND rejected_at < {to:DateTime64(3, 'UTC')}
    LIMIT 1 BY source_topic, source_log, source_partition, source_offset
)
GROUP BY service, stage, reason
ORDER BY service, letters DESC, stage, reason
