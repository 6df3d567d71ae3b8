-- name: diagnose/stages
-- title: How long the batches took that scored a window and the time before it
-- grain: part
-- source: tables batches and predictions
-- value: rows, microseconds of each stage a batch, lag (from the oldest record of a batch to its score), both weighted by rows
-- panel: none
WITH scored AS
    (
        SELECT batch_id, max(event_time >= {from:DateTime('UTC')} AND event_time < {to:DateTime('UTC')}) AS later
        FROM predictions
        WHERE service = {service:String} AND NOT golden
            AND (event_time >= {from:DateTime('UTC')} AND event_time < {to:DateTime('UTC')} OR event_time >= {base_from:DateTime('UTC')} AND event_time < {base_to:DateTime('UTC')})
        GROUP BY batch_id
    )
SELECT if(s.later, 'window', 'before') AS part, sum(b.rows) AS rows, sum(b.lookup_us * b.rows) / rows AS lookup_us, sum(b.run_us * b.rows) / rows AS run_us,
       sum((b.decode_us + b.assemble_us + b.encode_us) * b.rows) / rows AS other_us,
       sum((toUnixTimestamp64Milli(b.scored_at) - toUnixTimestamp64Milli(b.oldest_at)) * b.rows) * 1000 / rows AS lag_us
FROM batches AS b
INNER JOIN scored AS s ON b.batch_id = s.batch_id
WHERE b.service = {service:String}
GROUP BY part
ORDER BY part
