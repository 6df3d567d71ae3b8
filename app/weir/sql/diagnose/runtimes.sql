-- name: diagnose/runtimes
-- title: With what the predictions of a window and of the time before it were scored
-- grain: dimension, group, part
-- source: tables batches and predictions; group: a runtime (table bundles says what it is: engine, versions, options, processor)
-- value: rows
-- panel: none
WITH scored AS
    (
        SELECT batch_id, max(event_time >= {from:DateTime('UTC')} AND event_time < {to:DateTime('UTC')}) AS later, count() AS answers
        FROM predictions
        WHERE service = {service:String} AND NOT golden
            AND (event_time >= {from:DateTime('UTC')} AND event_time < {to:DateTime('UTC')} OR event_time >= {base_from:DateTime('UTC')} AND event_time < {base_to:DateTime('UTC')})
        GROUP BY batch_id
    )
SELECT 'runtime' AS dimension, toString(b.runtime_id) AS group, if(s.later, 'window', 'before') AS part, sum(s.answers) AS rows
FROM batches AS b
INNER JOIN scored AS s ON b.batch_id = s.batch_id
WHERE b.service = {service:String} AND b.scored_at >= least({from:DateTime('UTC')}, {base_from:DateTime('UTC')}) - INTERVAL 1 DAY  -- nothing is scored a day before it happens
GROUP BY group, part
ORDER BY rows DESC, group, part
