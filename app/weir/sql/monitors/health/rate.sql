-- name: health/rate
-- question: How much is asked?
-- title: Predictions a second
-- source: table traffic: predictions by window of event time
-- tasks: all
-- time: begin
-- value: per_second
-- unit: rate
-- n: n
-- window: 5m
-- panel: lines
-- verdict: rate
-- series: per_second as predictions
-- filters: version variant tenant team
-- grain: traffic traffic_hour
--
-- decisions: how many of each; mean_score: of all.
SELECT toStartOfInterval(window, toIntervalSecond({step:UInt32})) AS begin, sum(t.n) AS n, n / {step:UInt32} AS per_second,
       sum(score_sum) / n AS mean_score, sumMap(t.decisions) AS decisions
FROM {traffic:Identifier} AS t
WHERE service = {service:String} AND window >= {from:DateTime} AND window < {to:DateTime}
    AND {version:String} IN ('', version) AND {variant:String} IN ('', variant)
    AND {tenant:String} IN ('', tenant) AND {team:String} IN ('', team)
GROUP BY begin
ORDER BY begin
