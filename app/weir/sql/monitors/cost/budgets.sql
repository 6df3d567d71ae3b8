-- name: cost/budgets
-- question: Will it cost more than it may?
-- title: Forecast of each budget to the end of its period
-- source: view budgets, from the project's prices.yaml; the forecast is what was spent and the mean of the last 28 whole days for each day that is left, the interval 1.96 standard errors of that sum
-- tasks: all
-- time: begin
-- subject: budget
-- value: reach
-- unit: share
-- n: hours
-- low: low
-- high: high
-- warn: > 0.9
-- page: > 1
-- minimum: 6
-- window: 1h
-- panel: table
-- verdict: budgets
-- grain: batches batch_answers predictions
-- runbook: cost
--
-- reach: forecast as a share of the amount, once something was spent in six hours. low and high are of its interval, where
-- there are three whole days at least, and days are that many. Before, the pace of the period so far is the forecast. A budget of a team or tenant has what is allocated
-- to it; one of the whole service its idle time and dead letters, too. action: JSON, what is proposed where the alert pages. Only windows in which something was spent have rows.
-- Null where something of the period, or of the 28 days, has no price.
SELECT window AS begin, budget, hours, toInt64(length(whole)) AS days, forecast / limit AS reach, so_far / limit AS spent_share,
       if(days >= 3, (so_far + greatest(ahead - margin, 0)) / limit, NULL) AS low, if(days >= 3, (so_far + ahead + margin) / limit, NULL) AS high,
       limit AS amount, so_far AS spent, forecast, period_begin, period_end, period, team, tenant, action, currency
FROM
(
    SELECT *, if(length(whole) >= 3, mean * left_days, so_far * left_days * 86400 / greatest(upto - period_begin, 1)) AS ahead,
           1.96 * deviation * sqrt(left_days + left_days * left_days / greatest(length(whole), 1)) AS margin, so_far + ahead AS forecast
    FROM
    (
        SELECT *, if(empty(whole), 0, arrayAvg(whole)) AS mean,
               if(length(whole) < 2, 0, sqrt(arraySum(x -> (x - mean) * (x - mean), whole) / (length(whole) - 1))) AS deviation
        FROM
        (
            SELECT *, greatest(period_end - upto, 0) / 86400 AS left_days,
                   if(arrayExists(one -> one.3 AND one.1 >= least(period_begin, toDateTime(toDate(upto) - 28, 'UTC')) AND one.1 < upto, spent), NULL,
                      arraySum(one -> if(one.1 >= period_begin AND one.1 < upto, one.2, 0), spent)) AS so_far,
                   toInt64(arrayCount(one -> one.1 < upto AND one.1 >= toDate(upto) - 28, spent)) AS hours,
                   -- whole days before, since the first in which something was spent: on some of them nothing was
                   arrayFilter((day, cost) -> day < toDate(upto) AND day >= toDate(upto) - 28, daily.1, daily.1) AS seen,
                   arrayResize(arrayFilter((cost, day) -> day < toDate(upto) AND day >= toDate(upto) - 28, daily.2, daily.1),
                               toDate(upto) - if(empty(seen), toDate(upto), arrayMin(seen)), 0) AS whole
            FROM
            (
                SELECT *, window, least(window + toIntervalSecond({step:UInt32}), toDateTime({to:DateTime64(3, 'UTC')}, 'UTC')) AS upto,
                       toDateTime(multiIf(period = 'day', toDate(window), period = 'week', toMonday(window), toStartOfMonth(window)), 'UTC') AS period_begin,
                       toDateTime(multiIf(period = 'day', toDate(window) + 1, period = 'week', toMonday(window) + 7, addMonths(toStartOfMonth(window), 1)), 'UTC') AS period_end
                FROM
                (
                    SELECT b.name AS budget, any(toFloat64(b.amount)) AS limit, any(b.period) AS period, any(b.team) AS team, any(b.tenant) AS tenant,
                           any(b.action) AS action, any(b.currency) AS currency, groupArray((hour, cost, unpriced)) AS spent,
                           sumMap([toDate(hour)], [cost]) AS daily,
                           groupUniqArrayIf(toStartOfInterval(hour, toIntervalSecond({step:UInt32})), hour >= {from:DateTime64(3, 'UTC')} AND hour < {to:DateTime64(3, 'UTC')}) AS windows
                    FROM
                    (
                        SELECT b.name AS name, any(b.amount) AS amount, any(b.period) AS period, any(b.team) AS team, any(b.tenant) AS tenant, any(b.action) AS action,
                               any(b.currency) AS currency, l.begin AS hour, max(l.unpriced) AS unpriced, ifNull(toFloat64(sum(l.amount)), 0) AS cost
                        FROM cost_lines(service = {service:String}, since = toDateTime64({from:DateTime64(3, 'UTC')}, 3, 'UTC') - INTERVAL 62 DAY, until = {to:DateTime64(3, 'UTC')}, step = 3600) AS l
                        CROSS JOIN budgets AS b
                        WHERE b.service = {service:String}
                            AND ((b.team = '' AND b.tenant = '') OR (l.kind = 'answers' AND b.team IN ('', l.team) AND b.tenant IN ('', l.tenant)))
                        GROUP BY name, hour
                    ) AS b
                    GROUP BY budget
                )
                ARRAY JOIN windows AS window
            )
        )
    )
)
ORDER BY begin, budget
