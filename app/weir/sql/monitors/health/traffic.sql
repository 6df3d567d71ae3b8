-- name: health/traffic
-- question: Is it fast enough?
-- title: Time from the event to its score
-- source: table traffic: predictions by window, latency in bins of an eighth of an octave, each quantile the middle of its bin (within 4.5 %)
-- tasks: all
-- time: begin
-- value: p99_ms
-- unit: ms
-- n: n
-- window: 5m
-- minimum: 100
-- panel: lines
-- verdict: latency
-- series: p99_ms as p99, p95_ms as p95 dashed, p50_ms as p50 base
-- filters: version variant tenant team
-- grain: traffic traffic_hour
SELECT begin, n, n / {step:UInt32} AS per_second, quantiles[1] AS p50_ms, quantiles[2] AS p95_ms, quantiles[3] AS p99_ms, mean_ms
FROM
(
    SELECT toStartOfInterval(window, toIntervalSecond({step:UInt32})) AS begin, sum(t.n) AS n, sum(latency_sum) / n AS mean_ms,
           sumMap(latency) AS bins, arrayCumSum(mapValues(bins)) AS upto,
           arrayMap(q -> exp2((mapKeys(bins)[arrayFirstIndex(rows -> rows >= q * n, upto)] + 0.5) / 8) - 1, [0.5, 0.95, 0.99]) AS quantiles
    FROM {traffic:Identifier} AS t
    WHERE service = {service:String} AND window >= {from:DateTime} AND window < {to:DateTime}
        AND {version:String} IN ('', version) AND {variant:String} IN ('', variant)
        AND {tenant:String} IN ('', tenant) AND {team:String} IN ('', team)
    GROUP BY begin
)
ORDER BY begin
