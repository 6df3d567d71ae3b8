-- name: views/budgets
-- title: The project's budgets
-- grain: name
-- source: a template: <rows> are put in by edges/clickhouse/costs.py, from the project's prices.yaml
-- value: amount (of a period: day, week or month)
CREATE OR REPLACE VIEW budgets AS
SELECT row.1 AS name, row.2 AS service, row.3 AS team, row.4 AS tenant, row.5 AS period, toDecimal128(row.6, 24) AS amount,
       row.7 AS currency, row.8 AS action
FROM (SELECT arrayJoin(CAST([<rows>], 'Array(Tuple(String, String, String, String, String, String, String, String))')) AS row)
