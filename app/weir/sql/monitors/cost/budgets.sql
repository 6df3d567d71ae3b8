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
WITH
    hours AS
    (
        SELECT b.name AS budget, l.begin AS hour, if(max(l.unpriced), NULL, toFloat64(sum(l.amount))) AS cost
        FROM cost_lines(service = {service:String}, since = toDateTime64({from:DateTime64(3, 'UTC')}, 3, 'UTC') - INTERVAL 62 DAY, until = {to:DateTime64(3, 'UTC')}, step = 3600) AS l
        INNER JOIN budgets AS b ON l.service = b.service
        WHERE (b.team = '' AND b.tenant = '') OR (l.kind = 'answers' AND b.team IN ('', l.team) AND b.tenant IN ('', l.tenant))
        GROUP BY budget, hour
    ),
    history AS
    (
        SELECT budget, groupArray((hour, cost)) AS spent, countIf(isNull(cost)) > 0 AS unpriced FROM hours GROUP BY budget
    ),
    daily AS
    (
        SELECT budget, groupArray((day, cost)) AS days
        FROM (SELECT budget, toDate(hour) AS day, sum(cost) AS cost FROM hours GROUP BY budget, day)
        GROUP BY budget
    ),
    windows AS
    (
        SELECT DISTINCT budget, toStartOfInterval(hour, toIntervalSecond({step:UInt32})) AS begin
        FROM hours WHERE hour >= {from:DateTime64(3, 'UTC')} AND hour < {to:DateTime64(3, 'UTC')}
    )
SELECT begin, budget, hours, toInt64(length(whole)) AS days, forecast / limit AS reach, so_far / limit AS spent_share,
       if(days >= 3, (so_far + greatest(ahead - margin, 0)) / limit, NULL) AS low, if(days >= 3, (so_far + ahead + margin) / limit, NULL) AS high,
       limit AS amount, so_far AS spent, forecast, period_begin, period_end, b.period AS period, b.team AS team, b.tenant AS tenant, b.action AS action, b.currency AS currency
FROM
(
    SELECT w.begin AS begin, w.budget AS budget, b.*, toFloat64(b.amount) AS limit, least(begin + toIntervalSecond({step:UInt32}), toDateTime({to:DateTime64(3, 'UTC')}, 'UTC')) AS upto,
           toDateTime(multiIf(b.period = 'day', toDate(begin), b.period = 'week', toMonday(begin), toStartOfMonth(begin)), 'UTC') AS period_begin,
           toDateTime(multiIf(b.period = 'day', toDate(begin) + 1, b.period = 'week', toMonday(begin) + 7, addMonths(toStartOfMonth(begin), 1)), 'UTC') AS period_end,
           if(h.unpriced, NULL, arraySum(one -> if(one.1 >= period_begin AND one.1 < upto, ifNull(one.2, 0), 0), h.spent)) AS so_far,
           toInt64(arrayCount(one -> one.1 < upto AND one.1 >= toDate(upto) - 28, h.spent)) AS hours,
           arrayFilter(one -> one.1 < toDate(upto) AND one.1 >= toDate(upto) - 28, d.days) AS seen,
           arrayMap(one -> ifNull(one.2, 0), seen) AS known, if(empty(seen), toDate(upto), arrayMin(seen.1)) AS first_day,
           arrayResize(known, toDate(upto) - first_day, 0) AS whole,
           if(empty(whole), 0, arrayAvg(whole)) AS mean, if(length(whole) < 2, 0, sqrt(arraySum(x -> (x - mean) * (x - mean), whole) / (length(whole) - 1))) AS deviation,
           greatest(period_end - upto, 0) / 86400 AS left_days,
           if(length(whole) >= 3, mean * left_days, so_far * left_days * 86400 / greatest(upto - period_begin, 1)) AS ahead,
           1.96 * deviation * sqrt(left_days + left_days * left_days / greatest(length(whole), 1)) AS margin, so_far + ahead AS forecast
    FROM windows AS w
    INNER JOIN budgets AS b ON w.budget = b.name
    INNER JOIN history AS h ON w.budget = h.budget
    INNER JOIN daily AS d ON w.budget = d.budget
) AS b
ORDER BY begin, budget
