-- name: reports/binary
-- title: Decisions between two classes against what came true
-- grain: part (a day, an hour, a variant, a model version, or everything)
-- source: view results_<service>; flagged: decided for the positive class, or for any band but the lowest; precision and recall of it, area under the ROC curve with ties counted half
-- value: value (by the service's formula, an exact sum); waiting (share of predictions without an outcome: what comes first is no fair sample); unknown (labels of no bundle of the service: in no figure but the value)
-- panel: table
WITH
    rows AS
    (
        SELECT multiIf({by:String} = 'day', toString(toDate(event_time)), {by:String} = 'hour', toString(toStartOfHour(event_time)),
                       {by:String} = 'variant', variant, {by:String} = 'model', concat(model, ' ', version), '') AS part,
               toFloat64(score) + 0 AS score,                                  -- -0.0 and 0.0 are one
               has({flagging:Array(String)}, decision) AS flagged, has_outcome, value, label,
               nullIf({meant:Array(String)}[indexOf({words:Array(String)}, toString(ifNull(label, '')))], '') = {positive:String} AS truth
        FROM {results:Identifier}
        WHERE event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')}
    )
SELECT part, count() AS n, countIf(has_outcome) AS outcomes, countIf(NOT has_outcome) / n AS waiting, countIf(flagged) AS flagged_n,
       countIf(truth = 1) AS positives, countIf(truth = 0) AS negatives,
       countIf(flagged AND truth = 1) AS caught, countIf(NOT flagged AND truth = 1) AS missed, countIf(flagged AND truth = 0) AS false_alerts,
       caught / nullIf(caught + false_alerts, 0) AS precision, caught / nullIf(positives, 0) AS recall,
       if(positives * negatives = 0, NULL, arrayROCAUC(groupArrayIf(score, isNotNull(truth)), groupArray(truth))) AS auc,
       sum(rows.value) AS value, countIf(has_outcome AND isNull(rows.value)) AS unvalued, countIf(has_outcome AND isNull(label)) AS unread,
       countIf(isNotNull(label) AND isNull(truth)) AS unknown
FROM rows
GROUP BY part
ORDER BY part
