-- name: cost/untagged
-- question: How much of the cost can nobody be charged for?
-- title: Share of the allocated work whose requests name no tenant, or no team
-- source: app/weir/sql/migrations/0013_costs.sql: CPU time and, where there is some, GPU time of the answers
-- tasks: all
-- time: begin
-- subject: tag
-- value: untagged
-- unit: share
-- n: predictions
-- warn: > 0.05
-- page: > 0.25
-- minimum: 100
-- window: 1h
-- panel: lines
-- verdict: cost_untagged
-- series: untagged as untagged
-- grain: batches batch_answers predictions
-- runbook: cost
--
-- untagged: share of the cost; of the CPU time where something has no price. Callers name both in each request.
SELECT begin, part.1 AS tag, predictions,
       if(unpriced, toFloat64(part.2) / toFloat64(nullIf(work, 0)), toFloat64(part.3) / toFloat64(nullIf(spent, 0))) AS untagged,
       if(unpriced, NULL, toFloat64(part.3)) AS cost, (SELECT any(currency) FROM prices) AS currency
FROM
(
    SELECT begin, sumIf(n, component = 'cpu') AS predictions, max(unpriced) AS unpriced,
           sumIf(used, component = 'cpu') AS work, sum(amount) AS spent,
           sumIf(used, component = 'cpu' AND tenant = '') AS no_tenant, ifNull(sumIf(amount, tenant = ''), 0) AS no_tenant_cost,
           sumIf(used, component = 'cpu' AND team = '') AS no_team, ifNull(sumIf(amount, team = ''), 0) AS no_team_cost
    FROM <cost_lines: since = {from:DateTime64(3, 'UTC')}; until = {to:DateTime64(3, 'UTC')}; step = {step:UInt32}; also = HAVING true>
    WHERE kind = 'answers'
    GROUP BY begin
)
ARRAY JOIN [('tenant', no_tenant, no_tenant_cost), ('team', no_team, no_team_cost)] AS part
ORDER BY begin, tag
