-- name: reports/multiclass
-- title: Decisions between several classes against what came true
-- grain: part (a day, an hour, a variant, a model version, or everything)
-- source: view results_<service>; F1 of a class = 2 hits / (times decided + times true), its mean over all classes that were either
-- value: value (by the service's formula, an exact sum); waiting (share of predictions without an outcome: what comes first is no fair sample)
-- panel: table
WITH
    rows AS
    (
        SELECT multiIf({by:String} = 'day', toString(toDate(event_time)), {by:String} = 'hour', toString(toStartOfHour(event_time)),
                       {by:String} = 'variant', variant, {by:String} = 'model', concat(model, ' ', version), '') AS part,
               decision, label, has_outcome, value
        FROM {results:Identifier}
        WHERE event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')}
    ),
    counted AS
    (
        SELECT part, count() AS n, countIf(has_outcome) AS outcomes, countIf(NOT has_outcome) / n AS waiting, avg(decision = label) AS accuracy,
               sum(rows.value) AS value, countIf(has_outcome AND isNull(rows.value)) AS unvalued, countIf(has_outcome AND isNull(label)) AS unread
        FROM rows
        GROUP BY part
    ),
    classes AS
    (
        SELECT part, 2 * sum(hit) / count() AS f1
        FROM (SELECT part, decision = label AND side = 1 AS hit, class FROM rows
              ARRAY JOIN [toString(label), toString(decision)] AS class, [1, 2] AS side WHERE isNotNull(label))
        GROUP BY part, class
    )
SELECT part, n, outcomes, waiting, accuracy, if(isNull(accuracy), NULL, f1.macro) AS macro_f1, value, unvalued, unread
FROM counted
LEFT JOIN (SELECT part, avg(f1) AS macro FROM classes GROUP BY part) AS f1 USING (part)
ORDER BY part
