-- name: measurements/burn
-- title: How fast error budgets burn, by objective and rule
-- grain: at, objective, span
-- source: table measurements: the greatest revision of each; a monitor slo/<objective>/<span> is a rule of an objective
-- value: burn (the greatest of a window; 1 uses a budget up just at its end; of the slower of the rule's two spans)
-- panel: none
SELECT toUnixTimestamp(toStartOfInterval(toDateTime(begin, 'UTC'), toIntervalSecond({step:UInt32}))) AS at,
       splitByChar('/', monitor) AS named, named[2] AS objective, named[3] AS span, max(value) AS burn
FROM measurements FINAL
WHERE service = {service:String} AND startsWith(monitor, 'slo/') AND segment = '' AND isNotNull(value)
    AND begin >= {from:DateTime} AND begin < {to:DateTime} AND state NOT IN ('few', 'immature', 'failed')
GROUP BY at, monitor
ORDER BY at, objective, span
