-- name: cost/unpriced
-- question: Has all that is used a price?
-- title: Share of use without a price, by component
-- source: app/weir/sql/migrations/0013_costs.sql, view cost_metered: what was used on a day of which the project's prices.yaml says no price
-- tasks: all
-- time: begin
-- subject: component
-- value: gap
-- unit: share
-- n: records
-- warn: > 0
-- window: 1h
-- panel: lines
-- verdict: cost_unpriced
-- series: gap as without a price
-- grain: batches
-- runbook: cost
--
-- While it is above 0, amounts of that time are null, and so are budgets whose period or four weeks hold it. A project without a
-- price book has no rows. A window is of the time of scoring.
SELECT begin, component, toInt64(sum(m.records)) AS records, toFloat64(sumIf(m.used, m.unpriced)) / toFloat64(sum(m.used)) AS gap
FROM cost_metered(service = {service:String}, since = {from:DateTime64(3, 'UTC')}, until = {to:DateTime64(3, 'UTC')}, step = {step:UInt32}) AS m
WHERE m.used != 0 AND (SELECT count() FROM prices) > 0
GROUP BY begin, component
ORDER BY begin, component
