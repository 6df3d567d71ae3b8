-- name: outcome/loss_by_age
-- question: What does staleness cost?
-- title: Mean loss by the age of features
-- source: loss of classes: minus the logarithm of the chance given to what came true, chances below 1e-7 taken as that (Good 1952); of numbers the size of the error; variance of means by rows or by blocks (a 24th of the window, of a week or more a day) and Student's t (Cornish and Fisher 1938) over them
-- tasks: all
-- time: time
-- subject: view age
-- value: loss
-- unit: number
-- n: n
-- low: low
-- high: high
-- minimum: 30
-- window: 7d
-- maturity: 0.9
-- cadence: on demand
-- panel: table
-- verdict: loss_by_age
-- filters: version variant tenant team
-- grain: predictions outcomes bundles
-- runbook: outcome
-- No bound: it is asked by people, of the parts of what outcome/log_loss and outcome/error are held to.
-- A row for each feature view and span of ages: shares of the limit that the bundle's contract sets (limit_s, its time to live), or,
-- where it sets none (0), seconds. stale: share of the span that was older than allowed. more: loss beyond that of the view's youngest
-- span. What fresh features of the same requests would have given nobody knows: requests with old features may be harder by themselves.
WITH
    degrees -> 1.959964 + 2.372271 / degrees + 2.822499 / pow(degrees, 2) + 2.55585 / pow(degrees, 3) AS student,
    (of_blocks, of_rows) -> if(of_rows > 0, greatest(1, of_blocks / of_rows), 1) AS effect,
    x -> if(isFinite(x), x, NULL) AS said,
    if({step:UInt32} >= 604800, 86400, greatest(intDiv({step:UInt32}, 24), 1)) AS block_s,
    told AS
    (
        SELECT toStartOfInterval(toDateTime(r.event_time, 'UTC'), toIntervalSecond({step:UInt32}), 'UTC') AS begin,
               intDiv(toUnixTimestamp(toDateTime(r.event_time, 'UTC')) - toUnixTimestamp(begin), block_s) AS block,
               r.feature_status AS statuses, r.feature_age_s AS ages, r.has_outcome AS known, toFloat64(r.score) AS p,
               nullIf({meant:Array(String)}[indexOf({words:Array(String)}, toString(ifNull(r.label, '')))], '') AS truth,
               multiIf(empty({labels:Array(String)}), abs(p - r.observed), isNull(truth), NULL, notEmpty(r.outputs), toFloat64(r.outputs[assumeNotNull(truth)]), truth = {positive:String}, p, 1 - p) AS figure,
               if(empty({labels:Array(String)}), figure, if(isFinite(figure), -ln(least(greatest(figure, 1e-7), 1 - 1e-7)), NULL)) AS of_row,
               ifNull(isFinite(of_row), 0) AS usable, if(usable, assumeNotNull(of_row), 0) AS loss
        FROM {results:Identifier} AS r
        WHERE r.event_time >= {from:DateTime} AND r.event_time < {to:DateTime}
          AND {version:String} IN ('', version) AND {variant:String} IN ('', variant)
          AND {tenant:String} IN ('', tenant) AND {team:String} IN ('', team)
    ),
    limits AS
    (
        SELECT view, argMax(limit_s, written_at) AS limit_s
        FROM (SELECT arrayJoin(arrayZip(views, ttl_s)) AS pair, pair.1 AS view, pair.2 AS limit_s, written_at FROM bundles FINAL WHERE service = {service:String})
        GROUP BY view
    ),
    aged AS
    (
        SELECT t.begin AS begin, t.block AS block, t.known AS known, t.usable AS usable, t.loss AS loss, t.view AS view, t.status = 'stale' AS stale, toInt64(l.limit_s) AS limit_s,
               multiIf(t.status = 'unavailable', 10, t.status = 'not_found', 9, t.age_s < 0, -1, limit_s > 0,
                       multiIf(4 * t.age_s <= limit_s, 0, 2 * t.age_s <= limit_s, 1, t.age_s <= limit_s, 2, t.age_s <= 2 * limit_s, 3, 4),
                       multiIf(less(t.age_s, 60), 0, less(t.age_s, 600), 1, less(t.age_s, 3600), 2, less(t.age_s, 21600), 3, less(t.age_s, 86400), 4, 5)) AS place
        FROM (SELECT *, view, status, age_s FROM told ARRAY JOIN mapKeys(statuses) AS view, mapValues(statuses) AS status, mapValues(ages) AS age_s) AS t
        LEFT JOIN limits AS l ON t.view = l.view
        WHERE {subject:String} IN ('', t.view)
    ),
    blocks AS
    (
        SELECT a.begin AS begin, view, place, a.block AS block, any(a.limit_s) AS limit_s, count() AS rows, sum(a.known) AS known, sum(a.stale) AS stale,
               sum(a.usable) AS n, sum(a.loss) AS top, sum(a.loss * a.loss) AS top2
        FROM aged AS a
        GROUP BY begin, view, place, block
    ),
    windows AS
    (
        SELECT b.begin AS begin, view, place, any(b.limit_s) AS limit_s, sum(b.rows) AS predictions, sum(b.known) AS outcomes, sum(b.stale) / predictions AS stale,
               sum(b.n) AS n, sum(b.top) / n AS mean, countIf(b.n > 0) AS blocks, student(blocks - 1) AS t, greatest(sum(b.top2) - n * pow(mean, 2), 0) AS by_rows,
               arraySum((v, m) -> pow(v - mean * m, 2), groupArray(b.top), groupArray(b.n)) * (blocks / (blocks - 1)) AS by_blocks,
               t * sqrt(greatest(by_rows, by_blocks)) / n AS half
        FROM blocks AS b
        GROUP BY begin, view, place
    )
SELECT begin AS time, view,
       multiIf(place = 10, 'unavailable', place = 9, 'not found', place = -1, 'from the future', limit_s > 0,
               ['to 1/4 of its limit', 'to 1/2 of its limit', 'to its limit', 'to twice its limit', 'beyond twice its limit'][place + 1],
               ['below 1 min', '1 to 10 min', '10 min to 1 h', '1 to 6 h', '6 h to 1 d', '1 d or more'][place + 1]) AS age,
       said(w.mean) AS loss, n, said(greatest(w.mean - half, 0)) AS low, said(w.mean + half) AS high,
       said(w.mean - first_value(w.mean) OVER (PARTITION BY w.begin, w.view ORDER BY w.place)) AS more,
       limit_s, w.stale AS stale, predictions, outcomes / predictions AS maturity, blocks, if(blocks > 1, effect(by_blocks, by_rows), NULL) AS design_effect
FROM windows AS w
ORDER BY time, view, place
