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
-- low: low
-- high: high
-- minimum: 100
-- window: 1d
-- panel: table
-- verdict: cost_services
-- filters: version variant tenant team
-- grain: batches batch_answers predictions
--
-- cost: allocated, in the price book's currency; null where something has no price. overhead: idle time, dead letters and
-- answers that the record lacks, shared out by predictions; full_per_million has it in. A regression decides nothing that
-- is correct or not. per_correct and per_value count outcomes that are known so far: see how many. low, high: at 95 %, by the
-- window's 24 parts (ratio estimator, Student's t); none where its seconds are no multiple of 24, or one part alone has answers.
WITH
    degrees -> 1.959964 + 2.372271 / degrees + 2.822499 / pow(degrees, 2) + 2.55585 / pow(degrees, 3) AS student
SELECT begin, model, version, variant, team, tenant, predictions, cost,
       1e6 * cost / predictions AS per_million, if(parts > 1, 1e6 * (cost / predictions - half), NULL) AS low, if(parts > 1, 1e6 * (cost / predictions + half), NULL) AS high,
       cost / predictions AS per_prediction, an_overhead * predictions AS overhead, 1e6 * (cost + overhead) / predictions AS full_per_million,
       outcomes, judged, correct, cost / nullIf(correct, 0) AS per_correct, value, if(value > 0, cost / value, NULL) AS per_value,
       (SELECT any(currency) FROM prices) AS currency
FROM
(
    SELECT begin, model, version, variant, team, tenant, predictions, cost, an_overhead, length(blocks) AS parts,
           student(parts - 1) * sqrt(parts / (parts - 1) * arraySum(one -> pow(one.2 - ifNull(cost, 0) / predictions * one.1, 2), blocks)) / predictions AS half
    FROM
    (
        SELECT begin, kind, model, version, variant, team, tenant, predictions, cost, blocks,
               if(max(unpriced) OVER one, NULL, toFloat64(sumIf(exact, kind != 'answers') OVER one) / sumIf(predictions, kind = 'answers') OVER one) AS an_overhead
        FROM
        (
            SELECT begin, kind, model, version, variant, team, tenant, sum(b.n) AS predictions, max(b.unpriced) AS unpriced, sum(b.exact) AS exact, if(unpriced, NULL, toFloat64(exact)) AS cost,
                   groupArray((b.n, toFloat64(b.exact))) AS blocks
            FROM
            (
                SELECT toStartOfInterval(l.begin, toIntervalSecond({step:UInt32})) AS begin, l.begin AS block, kind, model, version, variant, team, tenant,
                       sumIf(l.n, component = 'cpu') AS n,
                       max(l.unpriced) AS unpriced, ifNull(sum(l.amount), 0) AS exact
                FROM cost_lines(service = {service:String}, since = {from:DateTime64(3, 'UTC')}, until = {to:DateTime64(3, 'UTC')},
                                step = if({step:UInt32} % 24 = 0, intDiv({step:UInt32}, 24), {step:UInt32})) AS l
                GROUP BY begin, block, kind, model, version, variant, team, tenant
            ) AS b
            GROUP BY begin, kind, model, version, variant, team, tenant
        )
        WINDOW one AS (PARTITION BY begin)
    )
    WHERE kind = 'answers'
) AS spent
LEFT JOIN
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
) AS earned USING (begin, model, version, variant, team, tenant)
WHERE {version:String} IN ('', version) AND {variant:String} IN ('', variant) AND {tenant:String} IN ('', tenant) AND {team:String} IN ('', team)
ORDER BY begin, per_million DESC, model, version, variant, team, tenant
