-- name: reports/classes
-- title: Each class against what came true
-- grain: part (a day, an hour, a variant, a model version, or everything), class
-- source: view results_<service>; predictions whose class is known; a label that no bundle of the service has is none
-- value: precision, recall, f1 (null where the class was never decided, or never true)
-- panel: none
WITH
    rows AS
    (
        SELECT multiIf({by:String} = 'day', toString(toDate(event_time)), {by:String} = 'hour', toString(toStartOfHour(event_time)),
                       {by:String} = 'variant', variant, {by:String} = 'model', concat(model, ' ', version), '') AS part,
               {meant:Array(String)}[indexOf({words:Array(String)}, toString(decision))] AS called,
               if(called = '', toString(decision), called) AS decided,
               nullIf({meant:Array(String)}[indexOf({words:Array(String)}, toString(ifNull(label, '')))], '') AS true_class
        FROM {results:Identifier}
        WHERE event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')} AND isNotNull(true_class)
    )
SELECT part, class, countIf(side = 1) AS support, countIf(side = 2) AS times_decided, countIf(side = 1 AND decided = true_class) AS hits,
       hits / nullIf(times_decided, 0) AS precision, hits / nullIf(support, 0) AS recall, 2 * hits / (support + times_decided) AS f1
FROM rows
ARRAY JOIN [assumeNotNull(true_class), decided] AS class, [1, 2] AS side
GROUP BY part, class
ORDER BY part, class
