-- name: ledger/missing
-- title: Offsets that were read and not answered
-- grain: service, source_topic, source_log, source_partition, first
-- source: see ledger/partitions
-- value: count (offsets that held a record; those of unsettled entries are not among them)
-- panel: table
-- Between two neighbours of {a stretch's edge, an answered offset, ...} that are more than 1 apart lie missing offsets.
WITH
    stretches AS
    (
        SELECT service, source_topic, source_log, source_partition, low, high
        FROM ledger_stretches(service = {service:String}, settle_s = {settle_s:UInt32})
        WHERE role = 'scorer' AND kind = 'read'
    ),
    answers AS
    (
        SELECT DISTINCT service, source_topic, source_log, source_partition, source_offset
        FROM
        (
            SELECT service, source_topic, source_log, source_partition, source_offset FROM predictions WHERE {service:String} IN ('', service)
            UNION ALL
            SELECT service, source_topic, source_log, source_partition, source_offset FROM dead_letters WHERE {service:String} IN ('', service)
        )
    ),
    points AS
    (
        SELECT service, source_topic, source_log, source_partition, low, arrayJoin([low - 1, high + 1]) AS point FROM stretches
        UNION ALL
        SELECT a.service, a.source_topic, a.source_log, a.source_partition, s.low, a.source_offset
        FROM answers AS a
        ASOF INNER JOIN stretches AS s
            ON a.service = s.service AND a.source_topic = s.source_topic AND a.source_log = s.source_log AND a.source_partition = s.source_partition
            AND a.source_offset >= s.low
        WHERE a.source_offset <= s.high
    )
SELECT service, source_topic, source_log, source_partition, toInt64(before + 1) AS first, toInt64(point - 1) AS last, last - first + 1 AS count
FROM
(
    SELECT *, lagInFrame(point, 1, point) OVER (PARTITION BY service, source_topic, source_log, source_partition, low ORDER BY point
                                               ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS before
    FROM points
)
WHERE point > before + 1
ORDER BY service, source_topic, source_log, source_partition, first
LIMIT {limit:UInt32}
