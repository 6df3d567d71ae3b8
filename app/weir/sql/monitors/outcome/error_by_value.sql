-- name: outcome/error_by_value
-- question: Where is it off?
-- title: Mean error by predicted value
-- source: errors are score minus observed, by the score's leading 1, 2 or 5 and its power of ten; variance of means by rows or by blocks (a 24th of the window, of a week or more a day) and Student's t (Cornish and Fisher 1938) over them
-- tasks: regression
-- time: time
-- subject: from_value
-- value: bias
-- unit: number
-- n: n
-- low: low
-- high: high
-- minimum: 30
-- panel: points
-- verdict: error_by_value
-- window: 1d
-- maturity: 0.9
-- filters: version variant tenant team
-- grain: predictions outcomes
-- No bound: its spans are the parts of what outcome/error is held to.
-- Intervals are at 95 %. They allow for rows of one block that go together, and not for what lasts longer than a block: where
-- days go together, ask for windows of weeks. design_effect: what the blocks say of the variance over what rows would, 1 or more.
-- from_value: the end next to zero of a span of scores; it reaches to the next 1, 2 or 5 of a power of ten, from 0 to 0.001. mae: mean size of its errors.
-- maturity: share of its predictions that have an outcome.
WITH
    degrees -> 1.959964 + 2.372271 / degrees + 2.822499 / pow(degrees, 2) + 2.55585 / pow(degrees, 3) AS student,
    (of_blocks, of_rows) -> if(of_rows > 0, greatest(1, of_blocks / of_rows), 1) AS effect,
    x -> if(isFinite(x), x, NULL) AS said,
    if({step:UInt32} >= 604800, 86400, greatest(intDiv({step:UInt32}, 24), 1)) AS block_s,
    told AS
    (
        SELECT toStartOfInterval(event_time, toIntervalSecond({step:UInt32}), 'UTC') AS begin,
               intDiv(toUnixTimestamp(event_time) - toUnixTimestamp(begin), block_s) AS block,
               from_value, n, known, usable, e, size, e2
        FROM <outcome_rows: cells = outcome_errors; kept = from_value, c.n AS n, known, usable, e, size, e2; said = toFloat64(score) - observed AS off, ifNull(isFinite(off), 0) AS counts, if(counts, assumeNotNull(off), 0) AS err, abs(toFloat64(score)) AS far, if(greater(far, 0) AND isFinite(far), floor(log10(far) + 1e-9), 0) AS power, less(far, 0.001) AS tiny, far / pow(10, power) AS lead; joined = toFloat32(multiIf(tiny, 0, NOT isFinite(far), far, greater(lead, 4.999999), 5, greater(lead, 1.999999), 2, 1) * if(greater(far, 0) AND isFinite(far), pow(10, power), 1) * sign(score)) AS from_value, toUInt64(1) AS n, toUInt64(has_outcome) AS known, toUInt64(counts) AS usable, err AS e, abs(err) AS size, err * err AS e2; at = toDateTime(r.event_time, 'UTC'); more = AND true>
    ),
    blocks AS
    (
        SELECT r.begin AS begin, r.from_value AS from_value, r.block AS block, sum(r.n) AS rows, sum(r.known) AS known, sum(r.usable) AS n,
               sum(r.e) AS top, sum(r.e2) AS top2, sum(r.size) AS sizes
        FROM told AS r
        GROUP BY begin, from_value, block
    ),
    windows AS
    (
        SELECT b.begin AS begin, from_value, sum(b.rows) AS predictions, sum(b.known) AS outcomes, sum(b.n) AS n, sum(b.top) / n AS mean, sum(b.sizes) / n AS mae,
               countIf(b.n > 0) AS blocks, student(blocks - 1) AS t, greatest(sum(b.top2) - n * pow(mean, 2), 0) AS by_rows,
               arraySum((v, m) -> pow(v - mean * m, 2), groupArray(b.top), groupArray(b.n)) * (blocks / (blocks - 1)) AS by_blocks,
               t * sqrt(greatest(by_rows, by_blocks)) / n AS half
        FROM blocks AS b
        GROUP BY begin, from_value
    )
SELECT begin AS time, toString(w.from_value) AS from_value, said(mean) AS bias, n, said(mean - half) AS low, said(mean + half) AS high, said(w.mae) AS mae,
       predictions, outcomes / predictions AS maturity, blocks, if(blocks > 1, effect(by_blocks, by_rows), NULL) AS design_effect
FROM windows AS w
ORDER BY time, w.from_value
