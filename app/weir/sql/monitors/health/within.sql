-- name: health/within
-- question: How many answers are as fast as promised?
-- title: Share of predictions within a limit
-- source: table traffic: predictions whose latency is in a bin that begins below the limit; subject: the limit in milliseconds, of those that an eighth of an octave tells apart
-- tasks: all
-- time: begin
-- subject: limit_ms
-- value: share
-- unit: share
-- n: n
-- window: 5m
-- panel: lines
-- verdict: within
-- series: share as within
-- filters: version variant tenant team
-- grain: traffic traffic_hour
WITH [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000] AS limits
SELECT begin, limit_ms, n, good, good / n AS share
FROM
(
    SELECT toStartOfInterval(window, toIntervalSecond({step:UInt32})) AS begin, sum(t.n) AS n, sumMap(latency) AS bins
    FROM {traffic:Identifier} AS t
    WHERE service = {service:String} AND window >= {from:DateTime} AND window < {to:DateTime}
        AND {version:String} IN ('', version) AND {variant:String} IN ('', variant)
        AND {tenant:String} IN ('', tenant) AND {team:String} IN ('', team)
    GROUP BY begin
)
ARRAY JOIN limits AS limit_ms, arrayMap(limit -> arraySum(mapValues(mapFilter((bin, rows) -> exp2((bin + 1) / 8) - 1 <= limit, bins))), limits) AS good
WHERE {subject:String} IN ('', toString(limit_ms))
ORDER BY begin, limit_ms
