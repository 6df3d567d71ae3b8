-- name: overview/traffic
-- title: Traffic of every service: how much, how fast, and what was decided
-- grain: service
-- source: tables traffic and traffic_hour, by event time
-- value: n, windows (begin in seconds since 1970 -> predictions), p99_ms (middle of its bin), mean_score, decisions, variants (variant, version, predictions, newest window)
-- panel: none
SELECT service, sum(m.rows) AS n, sumMap(m.by_window) AS windows, sum(m.scores) / n AS mean_score, sumMap(m.decided) AS decisions,
       sumMap(m.bins) AS latency, arrayCumSum(mapValues(latency)) AS upto,
       exp2((mapKeys(latency)[arrayFirstIndex(rows -> rows >= 0.99 * n, upto)] + 0.5) / 8) - 1 AS p99_ms,
       groupArray((m.variant, m.version, m.rows, m.newest)) AS variants
FROM
(
    SELECT service, variant, version, sum(t.n) AS rows, toUnixTimestamp(max(window)) AS newest, sum(score_sum) AS scores,
           sumMap(map(toUnixTimestamp(toStartOfInterval(window, toIntervalSecond({step:UInt32}), 'UTC')), t.n)) AS by_window,
           sumMap(t.decisions) AS decided, sumMap(t.latency) AS bins
    FROM {traffic:Identifier} AS t
    WHERE window >= {from:DateTime('UTC')} AND window < {to:DateTime('UTC')}
    GROUP BY service, variant, version
) AS m
GROUP BY service
ORDER BY service
