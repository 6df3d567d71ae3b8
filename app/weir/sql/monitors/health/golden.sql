-- name: health/golden
-- question: Are known answers still given?
-- title: Golden requests that were answered wrongly
-- source: table predictions: what a golden request's name says was expected (app/weir/core/golden.py), against what was answered by the same bundle; table dead_letters: those that were rejected
-- tasks: all
-- time: begin
-- value: wrong
-- unit: count
-- n: n
-- page: > 0
-- window: 5m
-- panel: lines
-- verdict: golden
-- series: wrong as wrong
-- grain: predictions dead_letters
-- runbook: golden
--
-- worst: the largest difference of a score. others: answered by another bundle than the expected answers are of; neither
-- right nor wrong. example: the name of a request that was answered wrongly.
SELECT begin, countIf(kind != 'another') AS n, countIf(kind IN ('wrong', 'rejected')) AS wrong, countIf(kind = 'rejected') AS rejected,
       countIf(kind = 'another') AS others, maxIf(difference, kind = 'wrong') AS worst, anyIf(request, kind IN ('wrong', 'rejected')) AS example
FROM
(
    SELECT toStartOfInterval(toDateTime(event_time, 'UTC'), toIntervalSecond({step:UInt32})) AS begin, splitByChar(':', request_id) AS said,
           abs(score - toFloat64OrNull(said[4])) AS difference, request_id AS request,
           multiIf(said[2] != digest, 'another', difference <= toFloat64OrNull(said[5]) AND decodeURLComponent(said[6]) = decision, 'right', 'wrong') AS kind
    FROM predictions
    WHERE service = {service:String} AND event_time >= {from:DateTime} AND event_time < {to:DateTime} AND golden
    UNION ALL
    SELECT toStartOfInterval(toDateTime(rejected_at, 'UTC'), toIntervalSecond({step:UInt32})) AS begin, [] AS said,
           NULL AS difference, extract(ifNull(value, ''), 'weir-golden:[\\w:.%~+-]+') AS request, 'rejected' AS kind
    FROM dead_letters
    WHERE service = {service:String} AND rejected_at >= {from:DateTime} AND rejected_at < {to:DateTime} AND position(ifNull(value, ''), 'weir-golden:') > 0
)
GROUP BY begin
ORDER BY begin
