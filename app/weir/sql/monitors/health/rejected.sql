-- name: health/rejected
-- question: What is turned into dead letters, and why?
-- title: Dead letters, by stage and reason
-- source: table dead_letters: every record that was rejected, once
-- tasks: all
-- time: begin
-- subject: stage reason
-- value: letters
-- unit: count
-- n: letters
-- window: 5m
-- panel: lines
-- verdict: letters
-- series: letters as dead letters
-- grain: dead_letters
--
-- A window is of the time of the rejection. example: what the newest of them says.
SELECT toStartOfInterval(toDateTime(rejected_at, 'UTC'), toIntervalSecond({step:UInt32})) AS begin, stage, reason,
       count() AS letters, argMax(detail, rejected_at) AS example
FROM dead_letters
WHERE service = {service:String} AND rejected_at >= {from:DateTime} AND rejected_at < {to:DateTime}
    AND position(ifNull(value, ''), 'weir-golden:') = 0
GROUP BY begin, stage, reason
ORDER BY begin, letters DESC
