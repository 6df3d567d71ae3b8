-- name: ledger/redrive_states
-- title: Dead letters that were redriven or given up, by what came of them
-- grain: state
-- source: tables redrives and redriven
-- value: state (as of ledger/redrives.sql), letters, repeated (of them in the log more than once: sent twice)
-- panel: table
SELECT state, count() AS letters, countIf(copies > 1) AS repeated
FROM
(
    SELECT d.copies AS copies,
           multiIf(NOT d.noted AND r.given_up, 'given up', NOT d.noted, 'announced',
                   (d.source_topic, d.redriven_log, d.source_partition, d.redriven_offset) IN
                   (
                       SELECT source_topic, source_log, source_partition, source_offset FROM predictions
                       WHERE {service:String} IN ('', service)
                           AND (source_topic, source_log, source_partition, source_offset) IN (SELECT source_topic, redriven_log, source_partition, redriven_offset FROM redriven)
                   ), 'scored',
                   (d.source_topic, d.redriven_log, d.source_partition, d.redriven_offset) IN
                   (
                       SELECT source_topic, source_log, source_partition, source_offset FROM dead_letters
                       WHERE {service:String} IN ('', service)
                           AND (source_topic, source_log, source_partition, source_offset) IN (SELECT source_topic, redriven_log, source_partition, redriven_offset FROM redriven)
                   ), 'dead again', 'waiting') AS state
    FROM
    (
        SELECT source_topic, source_log, source_partition, source_offset, argMax(redrives.given_up_by, redrives.batch) != '' AS given_up
        FROM redrives WHERE {service:String} IN ('', service)
        GROUP BY source_topic, source_log, source_partition, source_offset
    ) AS r
    LEFT JOIN (SELECT *, true AS noted FROM redriven FINAL) AS d
        ON r.source_topic = d.source_topic AND r.source_log = d.source_log AND r.source_partition = d.source_partition AND r.source_offset = d.source_offset
)
GROUP BY state
ORDER BY letters DESC, state
