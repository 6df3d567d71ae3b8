-- name: reports/multiclass
-- title: Decisions between several classes against what came true
-- grain: part (a day, an hour, a variant, a model version, or everything)
-- source: view results_<service>; F1 of a class = 2 hits / (times decided + times true), its mean over all classes that were either
-- value: value (by the service's formula, an exact sum); waiting (share of predictions without an outcome: what comes first is no fair sample); unknown (labels of no bundle of the service: in no figure but the value)
-- panel: table
WITH
    rows AS
    (
        SELECT multiIf({by:String} = 'day', toString(toDate(event_time)), {by:String} = 'hour', toString(toStartOfHour(event_time)),
                       {by:String} = 'variant', variant, {by:String} = 'model', concat(model, ' ', version), '') AS part,
               decision, label, has_outcome, value,
               nullIf({meant:Array(String)}[indexOf({words:Array(String)}, toString(ifNull(label, '')))], '') AS truth
        FROM {results:Identifier}
        WHERE event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')}
    ),
    counted AS
    (
        SELECT part, count() AS n, countIf(has_outcome) AS outcomes, countIf(NOT has_outcome) / n AS waiting, avg(decision = truth) AS accuracy,
               sum(rows.value) AS value, countIf(has_outcome AND isNull(rows.value)) AS unvalued, countIf(has_outcome AND isNull(label)) AS unread,
               countIf(isNotNull(label) AND isNull(truth)) AS unknown
        FROM rows
        GROUP BY part
    ),
    classes AS
    (
        SELECT part, 2 * sum(hit) / count() AS f1
        FROM (SELECT part, decision = truth AND side = 1 AS hit, class FROM rows
              ARRAY JOIN [assumeNotNull(truth), toString(decision)] AS class, [1, 2] AS side WHERE isNotNull(truth))
        GROUP BY part, class
    )
SELECT part, n, outcomes, waiting, accuracy, if(isNull(accuracy), NULL, f1.macro) AS macro_f1, value, unvalued, unread, unknown
FROM counted
LEFT JOIN (SELECT part, avg(f1) AS macro FROM classes GROUP BY part) AS f1 USING (part)
ORDER BY part
