-- name: outcome/error
-- question: How far off is it?
-- title: Mean absolute error, root mean square error and bias
-- source: errors are score minus observed; variance of means by rows or by blocks (a 24th of the window, of a week or more a day) and Student's t (Cornish and Fisher 1938) over them; of the root by the delta method
-- tasks: regression
-- time: time
-- subject: figure
-- value: error
-- unit: number
-- n: n
-- low: low
-- high: high
-- minimum: 30
-- panel: lines
-- verdict: performance
-- series: error as error
-- window: 1d
-- maturity: 0.9
-- filters: version variant tenant team
-- grain: predictions outcomes
-- usual: mae rises, rmse rises, bias moves
-- runbook: outcome
-- Held to its own last 28 windows, since no bound of another service fits: it warns where it is worse than their prediction
-- interval makes likely (Student's t, see monitor/usual.py), and pages nobody.
-- Intervals are at 95 %. They allow for rows of one block that go together, and not for what lasts longer than a block: where
-- days go together, ask for windows of weeks. design_effect: what the blocks say of the variance over what rows would, 1 or more.
-- maturity: share of predictions that have an outcome. unusable: scores that are no number, in no figure.
WITH
    degrees -> 1.959964 + 2.372271 / degrees + 2.822499 / pow(degrees, 2) + 2.55585 / pow(degrees, 3) AS student,
    (of_blocks, of_rows) -> if(of_rows > 0, greatest(1, of_blocks / of_rows), 1) AS effect,
    x -> if(isFinite(x), x, NULL) AS said,
    if({step:UInt32} >= 604800, 86400, greatest(intDiv({step:UInt32}, 24), 1)) AS block_s,
    told AS
    (
        SELECT toStartOfInterval(event_time, toIntervalSecond({step:UInt32}), 'UTC') AS begin,
               intDiv(toUnixTimestamp(event_time) - toUnixTimestamp(begin), block_s) AS block,
               n, known, strange, usable, e, size, e2, e4
        FROM <outcome_rows: cells = outcome_errors; kept = c.n AS n, known, strange, usable, e, size, e2, e4; said = toFloat64(score) - observed AS off, ifNull(isFinite(off), 0) AS counts, if(counts, assumeNotNull(off), 0) AS err, if(counts, assumeNotNull(observed), 0) AS seen; joined = toUInt64(1) AS n, toUInt64(has_outcome) AS known, toUInt64(isNotNull(observed) AND NOT counts) AS strange, toUInt64(counts) AS usable, err AS e, abs(err) AS size, err * err AS e2, pow(err, 4) AS e4; at = toDateTime(r.event_time, 'UTC'); more = AND true>
    ),
    blocks AS
    (
        SELECT r.begin AS begin, r.block AS block, each.1 AS figure, sum(r.n) AS rows, sum(r.known) AS known, sum(r.strange) AS strange,
               sum(r.usable) AS n, sum(each.2) AS top, sum(each.3) AS top2
        FROM told AS r
        ARRAY JOIN [('mae', r.size, r.e2), ('rmse', r.e2, r.e4), ('bias', r.e, r.e2)] AS each
        GROUP BY begin, block, figure
    ),
    windows AS
    (
        SELECT b.begin AS begin, figure, sum(b.rows) AS predictions, sum(b.known) AS outcomes, sum(b.strange) AS unusable, sum(b.n) AS n,
               sum(b.top) / n AS mean, countIf(b.n > 0) AS blocks, student(blocks - 1) AS t,
               greatest(sum(b.top2) - n * pow(mean, 2), 0) AS by_rows,
               arraySum((v, m) -> pow(v - mean * m, 2), groupArray(b.top), groupArray(b.n)) * (blocks / (blocks - 1)) AS by_blocks,
               t * sqrt(greatest(by_rows, by_blocks)) / n AS half
        FROM blocks AS b
        GROUP BY begin, figure
    )
SELECT begin AS time, figure, said(if(figure = 'rmse', sqrt(mean), mean)) AS error, n,
       if(blocks > 1, multiIf(figure = 'rmse', sqrt(greatest(mean - half, 0)), figure = 'mae', greatest(mean - half, 0), mean - half), NULL) AS low,
       said(if(figure = 'rmse', sqrt(mean + half), mean + half)) AS high,
       predictions, outcomes / predictions AS maturity, unusable, blocks, if(blocks > 1, effect(by_blocks, by_rows), NULL) AS design_effect
FROM windows
ORDER BY time, figure
