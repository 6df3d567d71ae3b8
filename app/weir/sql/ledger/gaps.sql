-- name: ledger/gaps
-- title: Offsets that no ledger entry covers
-- grain: role, service, source_topic, source_log, source_partition, first
-- source: see ledger/partitions
-- value: count (offsets)
-- panel: table
SELECT role, service, source_topic, source_log, source_partition, toInt64(before + 1) AS first, toInt64(low - 1) AS last, last - first + 1 AS count
FROM
(
    SELECT *, lagInFrame(high, 1, low - 1) OVER (PARTITION BY role, service, source_topic, source_log, source_partition ORDER BY low
                                                 ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS before
    FROM ledger_stretches(service = {service:String}, settle_s = 0)
    WHERE kind = 'covered'
)
WHERE low > before + 1
ORDER BY role, service, source_topic, source_log, source_partition, first
LIMIT {limit:UInt32}
