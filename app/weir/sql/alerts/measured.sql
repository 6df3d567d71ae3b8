-- name: alerts/measured
-- title: What the monitor worker has found of an objective, the largest figure of each window
-- grain: window
-- source: table measurements: of each window's revisions the greatest
-- value: value, begin (a DateTime)
-- panel: none
SELECT toStartOfInterval(toDateTime(m.begin, 'UTC'), toIntervalSecond({step:UInt32}), 'UTC') AS begin, max(m.figure) AS value
FROM
(
    SELECT begin, argMax(f.value, f.revision) AS figure
    FROM measurements AS f
    WHERE f.service = {service:String} AND f.monitor = {monitor:String} AND f.segment = ''
      AND f.begin >= {from:DateTime} AND f.begin < {to:DateTime}
    GROUP BY begin
) AS m
WHERE isNotNull(m.figure)
GROUP BY begin
ORDER BY begin
