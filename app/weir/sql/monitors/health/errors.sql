-- name: health/errors
-- question: How much is turned into dead letters?
-- title: Share of requests that were rejected
-- source: table batches: what each micro-batch read, scored and rejected, by the time of its scoring; a batch that was scored again after a crash counts again
-- tasks: all
-- time: begin
-- value: share
-- unit: share
-- n: n
-- warn: > 0.01
-- page: > 0.05
-- window: 5m
-- minimum: 100
-- panel: lines
-- verdict: rejected_share
-- series: share as rejected
-- grain: batches
-- runbook: health
SELECT toStartOfInterval(toDateTime(scored_at, 'UTC'), toIntervalSecond({step:UInt32})) AS begin, sum(rows) AS n,
       sum(batches.rejected) AS rejected, rejected / n AS share, sum(batches.scored) AS scored
FROM batches
WHERE service = {service:String} AND scored_at >= {from:DateTime} AND scored_at < {to:DateTime}
GROUP BY begin
HAVING n > 0
ORDER BY begin
