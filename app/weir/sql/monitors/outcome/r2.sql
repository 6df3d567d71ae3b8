-- name: outcome/r2
-- question: How much of what varies does it explain?
-- title: R squared: 1 minus its squared errors over those of always saying the mean
-- source: coefficient of determination, as in scikit-learn's r2_score; its variance by the delta method, by blocks (a 24th of the window, of a week or more a day) and Student's t (Cornish and Fisher 1938) over them
-- tasks: regression
-- time: time
-- value: r2
-- unit: share
-- n: n
-- low: low
-- high: high
-- minimum: 30
-- panel: lines
-- verdict: performance
-- series: r2 as R²
-- window: 1d
-- maturity: 0.9
-- filters: version variant tenant team
-- grain: predictions outcomes
-- usual: falls
-- runbook: outcome
-- Held to its own last 28 windows, since no bound of another service fits: it warns where it is worse than their prediction
-- interval makes likely (Student's t, see monitor/usual.py), and pages nobody.
-- The interval is at 95 %; it allows for rows of one block that go together, and not for what lasts longer than a block.
-- maturity: share of predictions that have an outcome. Null where what was observed does not vary.
WITH
    degrees -> 1.959964 + 2.372271 / degrees + 2.822499 / pow(degrees, 2) + 2.55585 / pow(degrees, 3) AS student,
    (of_blocks, of_rows) -> if(of_rows > 0, greatest(1, of_blocks / of_rows), 1) AS effect,
    x -> if(isFinite(x), x, NULL) AS said,
    if({step:UInt32} >= 604800, 86400, greatest(intDiv({step:UInt32}, 24), 1)) AS block_s,
    told AS
    (
        SELECT toStartOfInterval(event_time, toIntervalSecond({step:UInt32}), 'UTC') AS begin,
               intDiv(toUnixTimestamp(event_time) - toUnixTimestamp(begin), block_s) AS block,
               n, known, usable, e2, y, spread
        FROM <outcome_rows: cells = outcome_errors; kept = c.n AS n, known, usable, e2, y, spread; said = toStartOfInterval(toDateTime(r.event_time, 'UTC'), toIntervalSecond({step:UInt32}), 'UTC') AS first, toFloat64(score) - observed AS off, ifNull(isFinite(off), 0) AS counts, if(counts, assumeNotNull(off), 0) AS err, if(counts, assumeNotNull(observed), 0) AS seen; joined = count() AS n, countIf(has_outcome) AS known, countIf(counts) AS usable, sum(err * err) AS e2, sum(seen) AS y, varPopStateIf(seen, counts) AS spread; at = toDateTime(toUnixTimestamp(first) + intDiv(toUnixTimestamp(r.event_time) - toUnixTimestamp(first), block_s) * block_s, 'UTC'); more = GROUP BY event_time>
    ),
    blocks AS
    (
        SELECT r.begin AS begin, r.block AS block, sum(r.n) AS rows, sum(r.known) AS known, sum(r.usable) AS n, sum(r.e2) AS squares,
               sum(r.y) AS ys, varPopMerge(r.spread) AS spread
        FROM told AS r
        GROUP BY begin, block
    ),
    windows AS
    (
        SELECT b.begin AS begin, sum(b.rows) AS predictions, sum(b.known) AS outcomes, sum(b.n) AS n, countIf(b.n > 0) AS blocks,
               sum(b.squares) / n AS mse, sum(b.ys) / n AS mean, groupArrayIf(b.n, b.n > 0) AS ns, groupArrayIf(b.squares, b.n > 0) AS errors,
               arrayMap((spread, m, y) -> m * (spread + pow(y / m - mean, 2)), groupArrayIf(b.spread, b.n > 0), ns, groupArrayIf(b.ys, b.n > 0)) AS totals,
               arraySum(totals) / n AS variance, if(variance > 1e-24 * pow(mean, 2), 1 - mse / variance, nan) AS r2, student(blocks - 1) AS t,
               t * sqrt(arraySum((v, w, m) -> pow((v - mse * m) / variance - mse * (w - variance * m) / pow(variance, 2), 2), errors, totals, ns)
                        * (blocks / (blocks - 1))) / n AS half
        FROM blocks AS b
        GROUP BY begin
    )
SELECT begin AS time, said(w.r2) AS r2, n, said(w.r2 - half) AS low, if(isFinite(w.r2) AND blocks > 1, least(w.r2 + half, 1), NULL) AS high, predictions, outcomes / predictions AS maturity, blocks
FROM windows AS w
ORDER BY time
