-- name: cost/components
-- question: What is it that costs?
-- title: Cost by component over time
-- source: app/weir/sql/migrations/0013_costs.sql: what batches metered, at the price book's prices of the day
-- tasks: all
-- time: begin
-- subject: component
-- value: cost
-- unit: money
-- n: records
-- window: 1h
-- panel: lines
-- verdict: cost_components
-- series: cost as cost
-- grain: batches
--
-- cost: in the price book's currency; null where something has no price. used: seconds, keys or bytes.
SELECT begin, component, toInt64(sum(m.records)) AS records, if(max(unpriced), NULL, toFloat64(sum(amount))) AS cost,
       toFloat64(sum(m.used)) / if(component IN ('cpu', 'gpu', 'idle'), 1e12, 1e6) AS used, (SELECT any(currency) FROM prices) AS currency
FROM cost_metered(service = {service:String}, since = {from:DateTime64(3, 'UTC')}, until = {to:DateTime64(3, 'UTC')}, step = {step:UInt32}) AS m
GROUP BY begin, component
HAVING used != 0
ORDER BY begin, component
