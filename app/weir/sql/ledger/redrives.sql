-- name: ledger/redrives
-- title: Dead letters that were redriven or given up, and what came of them
-- grain: source_topic, source_log, source_partition, source_offset
-- source: tables redrives and redriven: announced before it is sent, noted when the log holds it; ids: "topic/partition/offset@log", all when empty
-- value: sent_by (who sent it again; empty: given up, or nobody was asked), given_up_by, given_up_for (who and why), state (given up: nobody sends it; announced: not noted in the log; waiting: no answer recorded; scored; dead again), copies (1: sent once)
-- panel: table
SELECT r.service AS service, r.source_topic AS source_topic, r.source_log AS source_log, r.source_partition AS source_partition, r.source_offset AS source_offset,
       r.batch AS batch, r.repair AS repair, r.sent_by AS sent_by, r.given_up_by AS given_up_by, r.given_up_for AS given_up_for, r.announced_at AS announced_at,
       d.noted ? d.redriven_offset : -1 AS redriven_offset, toInt64(d.copies) AS copies,
       multiIf(NOT d.noted AND r.given_up_by != '', 'given up', NOT d.noted, 'announced', p.scored, 'scored', l.turned_away, 'dead again', 'waiting') AS state,
       l.reason AS reason
FROM
(
    SELECT * FROM redrives
    WHERE {service:String} IN ('', service)
        AND (empty({ids:Array(String)}) OR concat(source_topic, '/', toString(source_partition), '/', toString(source_offset), '@', source_log) IN {ids:Array(String)})
    ORDER BY batch DESC LIMIT 1 BY source_topic, source_log, source_partition, source_offset
) AS r
LEFT JOIN (SELECT *, true AS noted FROM redriven FINAL) AS d
    ON r.source_topic = d.source_topic AND r.source_log = d.source_log AND r.source_partition = d.source_partition AND r.source_offset = d.source_offset
LEFT JOIN
(
    SELECT DISTINCT source_topic, source_log, source_partition, source_offset, true AS scored FROM predictions
    WHERE {service:String} IN ('', service)
        AND (source_topic, source_log, source_partition, source_offset) IN (SELECT source_topic, redriven_log, source_partition, redriven_offset FROM redriven)
) AS p
    ON d.source_topic = p.source_topic AND d.redriven_log = p.source_log AND d.source_partition = p.source_partition AND d.redriven_offset = p.source_offset
LEFT JOIN
(
    SELECT source_topic, source_log, source_partition, source_offset, any(dead_letters.reason) AS reason, true AS turned_away FROM dead_letters
    WHERE {service:String} IN ('', service)
        AND (source_topic, source_log, source_partition, source_offset) IN (SELECT source_topic, redriven_log, source_partition, redriven_offset FROM redriven)
    GROUP BY source_topic, source_log, source_partition, source_offset
) AS l
    ON d.source_topic = l.source_topic AND d.redriven_log = l.source_log AND d.source_partition = l.source_partition AND d.redriven_offset = l.source_offset
ORDER BY batch, source_topic, source_log, source_partition, source_offset
LIMIT {limit:UInt32}
