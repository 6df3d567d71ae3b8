-- name: health/lag
-- question: How far behind are the scorers?
-- title: Age of the oldest record when its batch was scored
-- source: table batches: time of the scoring minus broker time of the batch's oldest record; recorded_s: until the recorder had written it, whole seconds
-- tasks: all
-- time: begin
-- value: lag_s
-- unit: s
-- n: n
-- warn: > 5
-- page: > 60
-- window: 5m
-- panel: lines
-- verdict: plain
-- series: lag_s as oldest record, median_lag_s as median record dashed, recorded_s as until recorded base
-- grain: batches
-- runbook: health
SELECT toStartOfInterval(toDateTime(scored_at, 'UTC'), toIntervalSecond({step:UInt32})) AS begin, sum(rows) AS n,
       greatest(max(dateDiff('millisecond', oldest_at, scored_at)), 0) / 1000 AS lag_s,
       quantileExactWeighted(0.5)(greatest(dateDiff('millisecond', oldest_at, scored_at), 0), rows) / 1000 AS median_lag_s,
       greatest(max(dateDiff('second', toDateTime(scored_at, 'UTC'), recorded_at)), 0) AS recorded_s
FROM batches
WHERE service = {service:String} AND scored_at >= {from:DateTime} AND scored_at < {to:DateTime}
GROUP BY begin
ORDER BY begin
