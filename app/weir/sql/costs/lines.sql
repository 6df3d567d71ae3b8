-- name: costs/lines
-- title: What was spent, by who bears it and component
-- grain: service, kind, model, version, variant, team, tenant, day, component
-- source: view cost_lines of app/weir/sql/migrations/0013_costs.sql; time is when a batch was scored, by which money was spent
-- value: amount (exact; null where something was used that has no price)
-- panel: table
SELECT service, kind, model, version, variant, team, tenant, toString(day) AS day, component, toInt64(sum(n)) AS predictions,
       toString(sum(used)) AS millionths, if(max(unpriced), NULL, toString(sum(amount))) AS amount
FROM cost_lines(service = {service:String}, since = {from:DateTime64(3, 'UTC')}, until = {to:DateTime64(3, 'UTC')}, step = 86400)
GROUP BY service, kind, model, version, variant, team, tenant, day, component
HAVING predictions != 0 OR sum(used) != 0
ORDER BY service, kind, model, version, variant, team, tenant, day, component
