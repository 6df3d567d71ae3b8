-- Answers to the requests of batches of a time that scored another number of records than there are answers that name them,
-- whichever batch they name: of the week before, longer than which a log keeps few requests, and a day after, which no two
-- clocks differ by. Mostly there is none, and then predictions are not read.
SELECT batch_id, prediction_id, who, source_partition, source_offset
FROM
(
    SELECT prediction_id, source_log, source_partition, source_offset,
           CAST((variant, model, version, digest, tenant, team), 'Tuple(variant String, model String, version String, digest String, tenant String, team String)') AS who
    FROM predictions
    WHERE service = {service:String} AND scored_at >= <since> - INTERVAL 7 DAY AND scored_at < <until> + INTERVAL 1 DAY
) AS p
INNER JOIN
(   -- by stretches of 1,024 offsets, so that a join by equality finds the ranges that may hold one
    SELECT batch_id, source_log, range.partition AS partition, range.first AS first, range.last AS last,
           arrayJoin(range(intDiv(first, 1024), intDiv(last, 1024) + 1)) AS stretch
    FROM batches
    LEFT JOIN
    (
        SELECT batch_id, sum(answers) AS answered FROM batch_answers
        WHERE service = {service:String} AND scored_at >= <since> AND scored_at < <until>
        GROUP BY batch_id
    ) AS named USING (batch_id)
    ARRAY JOIN ranges AS range
    WHERE service = {service:String} AND scored_at >= <since> AND scored_at < <until> AND answered != scored
) AS odd ON p.source_log = odd.source_log AND p.source_partition = odd.partition AND intDiv(p.source_offset, 1024) = odd.stretch
WHERE source_offset BETWEEN first AND last
