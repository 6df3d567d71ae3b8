-- name: health/stages
-- question: Where does the time go?
-- title: Time of a batch in each stage, as its requests see it
-- source: table batches: each batch weighs as many as it has rows; share: of the time of all stages
-- tasks: all
-- time: begin
-- subject: stage
-- value: p99_ms
-- unit: ms
-- n: n
-- window: 5m
-- panel: lines
-- verdict: stages
-- series: p99_ms as p99
-- grain: batches
SELECT begin, stage, sum(rows) AS n, (quantilesExactWeighted(0.5, 0.95, 0.99)(us, rows) AS quantiles)[1] / 1000 AS p50_ms,
       quantiles[2] / 1000 AS p95_ms, quantiles[3] / 1000 AS p99_ms,
       sum(us * rows) / nullIf(sum(sum(us * rows)) OVER (PARTITION BY begin), 0) AS share
FROM
(
    SELECT toStartOfInterval(toDateTime(scored_at, 'UTC'), toIntervalSecond({step:UInt32})) AS begin, rows,
           ['wait', 'decode', 'lookup', 'assemble', 'run', 'encode'] AS stages, [wait_us, decode_us, lookup_us, assemble_us, run_us, encode_us] AS times
    FROM batches
    WHERE service = {service:String} AND scored_at >= {from:DateTime} AND scored_at < {to:DateTime} AND rows > 0
)
ARRAY JOIN stages AS stage, times AS us
WHERE {subject:String} IN ('', stage)
GROUP BY begin, stage
ORDER BY begin, stage
