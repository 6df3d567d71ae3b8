-- name: features/contract
-- title: How old a value of each feature view may be
-- grain: view
-- source: table bundles: of the service's scorers the one that was announced last
-- value: ttl_s (seconds; 0: without limit)
-- panel: none
SELECT view, ttl_s
FROM
(
    SELECT argMax(b.views, b.written_at) AS views, argMax(b.ttl_s, b.written_at) AS limits
    FROM bundles AS b
    WHERE service = {service:String} AND role = 'scorer'
)
ARRAY JOIN views AS view, arrayResize(limits, length(views), 0.) AS ttl_s
ORDER BY view
