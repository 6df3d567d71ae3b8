-- name: views/prices
-- title: The project's price book
-- grain: component, begins
-- source: a template: <rows> are put in by edges/clickhouse/costs.py, from the project's prices.yaml
-- value: attos (of a microsecond, a key, or a byte, in units of 1e-18 of the currency)
CREATE OR REPLACE VIEW prices AS
SELECT row.1 AS currency, row.2 AS component, toDate32(row.3) AS begins, toDate32(row.4) AS ends, toInt128(row.5) AS attos
FROM (SELECT arrayJoin(CAST([<rows>], 'Array(Tuple(String, String, String, String, String))')) AS row)
