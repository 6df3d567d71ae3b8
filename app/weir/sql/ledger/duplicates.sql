-- name: ledger/duplicates
-- title: Offsets answered more than once
-- grain: service, source_topic, source_log, source_partition, first, kind
-- source: see ledger/partitions
-- value: count (rows beyond one)
-- panel: table
SELECT service, source_topic, source_log, source_partition, source_offset AS first, source_offset AS last, kind, toInt64(count() - 1) AS count
FROM
(
    SELECT service, source_topic, source_log, source_partition, source_offset, 'prediction' AS kind
    FROM predictions WHERE {service:String} IN ('', service)
    UNION ALL
    SELECT service, source_topic, source_log, source_partition, source_offset, 'dead letter'
    FROM dead_letters WHERE service != '' AND {service:String} IN ('', service)
)
GROUP BY service, source_topic, source_log, source_partition, source_offset, kind
HAVING count() > 1
ORDER BY service, source_topic, source_log, source_partition, first, kind
LIMIT {limit:UInt32}
