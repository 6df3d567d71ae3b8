-- name: ledger/gaps
-- title: Offsets that no ledger entry covers
-- grain: role, service, source_topic, source_partition, first
-- source: see ledger/partitions
-- value: count (offsets)
-- panel: table
SELECT role, service, source_topic, source_partition, toInt64(covered + 1) AS first, toInt64(start - 1) AS last, last - first + 1 AS count
FROM
(
    SELECT role, service, source_topic, source_partition, ledger.first AS start,
           row_number() OVER (PARTITION BY role, service, source_topic, source_partition ORDER BY ledger.first, ledger.last) AS place,
           max(ledger.last) OVER (PARTITION BY role, service, source_topic, source_partition ORDER BY ledger.first, ledger.last
                                  ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS covered
    FROM ledger
    WHERE {service:String} IN ('', service)
)
WHERE place > 1 AND start > covered + 1
ORDER BY role, service, source_topic, source_partition, first
LIMIT {limit:UInt32}
