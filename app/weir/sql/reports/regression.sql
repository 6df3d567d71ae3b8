-- name: reports/regression
-- title: Predicted numbers against what was observed
-- grain: part (a day, an hour, a variant, a model version, or everything)
-- source: view results_<service>; errors are score minus observed: their mean size, the root of their mean square, their mean
-- value: value (by the service's formula, an exact sum); waiting (share of predictions without an outcome: what comes first is no fair sample)
-- panel: table
WITH
    rows AS
    (
        SELECT multiIf({by:String} = 'day', toString(toDate(event_time)), {by:String} = 'hour', toString(toStartOfHour(event_time)),
                       {by:String} = 'variant', variant, {by:String} = 'model', concat(model, ' ', version), '') AS part,
               toFloat64(score) - observed AS error, has_outcome, value
        FROM {results:Identifier}
        WHERE event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')}
    )
SELECT part, count() AS n, countIf(has_outcome) AS outcomes, countIf(NOT has_outcome) / n AS waiting,
       avg(abs(error)) AS mae, sqrt(avg(error * error)) AS rmse, avg(error) AS bias,
       sum(rows.value) AS value, countIf(has_outcome AND isNull(rows.value)) AS unvalued, countIf(has_outcome AND isNull(error)) AS unread
FROM rows
GROUP BY part
ORDER BY part
