-- name: cost/services
-- question: What does a prediction cost, and what does it earn?
-- title: Cost per prediction, per correct decision and per unit of value, by model, version, variant, team and tenant
-- source: app/weir/sql/migrations/0013_costs.sql; correct: decided for the class that came true, of two classes whether it was flagged; value by the service's formula
-- tasks: all
-- time: begin
-- subject: model version variant team tenant
-- value: per_million
-- unit: money
-- n: predictions
-- minimum: 100
-- window: 1d
-- panel: table
-- filters: version variant tenant team
-- grain: batches batch_answers predictions
--
-- cost: allocated, in the price book's currency; null where something has no price. overhead: idle time, dead letters and
-- answers that the record lacks, shared out by predictions; full_per_million has it in. A regression decides nothing that
-- is correct or not. per_correct and per_value count outcomes that are known so far: see how many.
WITH
    lines AS
    (
        SELECT * FROM cost_lines(service = {service:String}, since = {from:DateTime64(3, 'UTC')}, until = {to:DateTime64(3, 'UTC')}, step = {step:UInt32})
    ),
    spent AS
    (
        SELECT begin, model, version, variant, team, tenant, sumIf(n, component = 'cpu') AS predictions,
               if(max(unpriced), NULL, toFloat64(sum(amount))) AS cost
        FROM lines WHERE kind = 'answers'
        GROUP BY begin, model, version, variant, team, tenant
    ),
    overheads AS
    (
        SELECT begin, if(max(unpriced), NULL, toFloat64(sumIf(amount, kind != 'answers')) / sumIf(n, kind = 'answers' AND component = 'cpu')) AS each
        FROM lines GROUP BY begin
    ),
    earned AS
    (
        SELECT toStartOfInterval(toDateTime(scored_at, 'UTC'), toIntervalSecond({step:UInt32})) AS begin, model, version, variant, team, tenant,
               toInt64(countIf(has_outcome)) AS outcomes, toInt64(countIf(truth != '')) AS judged,
               toInt64(countIf(truth != '' AND if({positive:String} = '', decision = truth, has({flagging:Array(String)}, decision) = (truth = {positive:String})))) AS correct,
               toFloat64(sum(r.value)) AS value
        FROM
        (
            SELECT *, {meant:Array(String)}[indexOf({words:Array(String)}, toString(ifNull(label, '')))] AS truth
            FROM {results:Identifier}
            WHERE service = {service:String} AND scored_at >= {from:DateTime64(3, 'UTC')} AND scored_at < {to:DateTime64(3, 'UTC')}
        ) AS r
        GROUP BY begin, model, version, variant, team, tenant
    )
SELECT begin, model, version, variant, team, tenant, predictions, cost, 1e6 * cost / predictions AS per_million,
       cost / predictions AS per_prediction, each * predictions AS overhead, 1e6 * (cost + overhead) / predictions AS full_per_million,
       outcomes, judged, correct, cost / nullIf(correct, 0) AS per_correct, value, if(value > 0, cost / value, NULL) AS per_value,
       (SELECT any(currency) FROM prices) AS currency
FROM spent
LEFT JOIN overheads USING (begin)
LEFT JOIN earned USING (begin, model, version, variant, team, tenant)
WHERE {version:String} IN ('', version) AND {variant:String} IN ('', variant) AND {tenant:String} IN ('', tenant) AND {team:String} IN ('', team)
ORDER BY begin, per_million DESC, model, version, variant, team, tenant
