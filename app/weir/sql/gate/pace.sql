-- name: gate/pace
-- title: How many predictions a service has, and when their outcomes come, by what is counted already
-- grain: service
-- source: table traffic, the seven days before its newest minute; cells of outcomes (app/weir/sql/migrations/0014_outcome_cells.sql), of 60 days
-- value: rows, seconds (from the first to the last), known (predictions with an outcome), labelled (share of those that are old enough to have one), delay_s (after which nine in ten have come), positive (share of known; null where nothing tells)
-- panel: none
-- The monitor worker asks it now and then: it costs minutes and hours, and not rows. gate/traffic says the same by the predictions.
WITH
    (SELECT max(window) FROM traffic WHERE service = {service:String}) AS newest,
    kept AS (SELECT hour, max(made) FROM outcome_kept WHERE service = {service:String} AND hour > newest - INTERVAL 60 DAY GROUP BY hour),
    delays AS
    (
        SELECT hour, sum(d.n) AS n, sum(d.known) AS known, quantilesTDigestMergeState(0.5, 0.9, 0.99)(d.delays) AS delays
        FROM outcome_delays AS d
        WHERE service = {service:String} AND wide AND hour > newest - INTERVAL 60 DAY AND (hour, made) IN kept
        GROUP BY hour
    ),
    (SELECT ifNotFinite(toFloat64(quantilesTDigestMerge(0.5, 0.9, 0.99)(delays)[2]), 0) FROM delays) AS p90_s
SELECT passing.rows AS rows, passing.seconds AS seconds, came.known AS known,
       if(came.old > 0, came.old_known / came.old, came.known / greatest(came.n, 1)) AS labelled, p90_s AS delay_s, classes.positive AS positive
FROM
(
    SELECT sum(t.n) AS rows, dateDiff('second', min(window), max(window)) + 60 AS seconds
    FROM traffic AS t
    WHERE service = {service:String} AND window > newest - INTERVAL 7 DAY
) AS passing
CROSS JOIN
(
    SELECT sum(d.n) AS n, sum(d.known) AS known, sumIf(d.n, dateDiff('second', hour, newest) > p90_s) AS old, sumIf(d.known, dateDiff('second', hour, newest) > p90_s) AS old_known
    FROM delays AS d
) AS came
CROSS JOIN
(
    SELECT sumIf(c.n, label = {positive:String}) / nullIf(sum(c.n), 0) AS positive
    FROM outcome_counts AS c
    WHERE service = {service:String} AND wide AND has_outcome AND hour > newest - INTERVAL 60 DAY AND (hour, made) IN kept
) AS classes
