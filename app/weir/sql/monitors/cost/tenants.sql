-- name: cost/tenants
-- question: Whose requests cost what?
-- title: Cost by tenant
-- source: app/weir/sql/migrations/0013_costs.sql: each answer bears its share of its batch
-- tasks: all
-- time: begin
-- subject: tenant
-- value: cost
-- unit: money
-- n: predictions
-- window: 1d
-- panel: table
-- verdict: cost_tenants
-- filters: version variant tenant team
-- grain: batches batch_answers predictions
--
-- cost: allocated, in the price book's currency; null where something has no price. share: of all that is allocated in the
-- window. Idle time and dead letters are nobody's, and in cost/conservation.
SELECT begin, tenant, predictions, toFloat64(spent) AS cost, toFloat64(spent) / nullIf(sum(toFloat64(spent)) OVER (PARTITION BY begin), 0) AS share,
       1e6 * cost / predictions AS per_million, (SELECT any(currency) FROM prices) AS currency
FROM
(
    SELECT begin, tenant, sumIf(n, component = 'cpu') AS predictions, if(max(unpriced), NULL, sum(amount)) AS spent
    FROM <cost_lines: since = {from:DateTime64(3, 'UTC')}; until = {to:DateTime64(3, 'UTC')}; step = {step:UInt32}; also = HAVING true>
    WHERE kind = 'answers' AND {version:String} IN ('', version) AND {variant:String} IN ('', variant) AND {tenant:String} IN ('', tenant) AND {team:String} IN ('', team)
    GROUP BY begin, tenant
)
ORDER BY begin, cost DESC, tenant
