-- name: outcome/calibration_slope
-- question: Are its chances too bold or too shy?
-- title: Slope and intercept of what came true over what was said, in log odds
-- source: logistic recalibration (Cox 1958), by Newton's steps over 32nds of log odds; standard errors from the information matrix, times the root of the design effect of what came true minus its chance, by rows and by blocks (a 24th of the window, of a week or more a day) and Student's t (Cornish and Fisher 1938) over them
-- tasks: binary
-- time: time
-- subject: figure
-- value: coefficient
-- unit: number
-- n: n
-- low: low
-- high: high
-- minimum: 100
-- panel: lines
-- verdict: calibration_slope
-- series: coefficient as coefficient
-- window: 1d
-- maturity: 0.9
-- filters: version variant tenant team
-- grain: predictions outcomes
-- usual: moves
-- runbook: outcome
-- Held to its own last 28 windows, since no bound of another service fits: it warns where it is worse than their prediction
-- interval makes likely (Student's t, see monitor/usual.py), and pages nobody.
-- Intervals are at 95 %. They allow for rows of one block that go together, and not for what lasts longer than a block: where
-- days go together, ask for windows of weeks. design_effect: what the blocks say of the variance over what rows would, 1 or more.
-- slope 1 and intercept 0 are right; a slope below 1 is too bold. Chances below 1e-7 are taken as that, within 0.001 of the fit to rows.
-- maturity: share of predictions that have an outcome. Null where one of the classes never came true, or the scores do not vary or
-- part the classes: there is no finite fit.
WITH
    degrees -> 1.959964 + 2.372271 / degrees + 2.822499 / pow(degrees, 2) + 2.55585 / pow(degrees, 3) AS student,
    (of_blocks, of_rows) -> if(of_rows > 0, greatest(1, of_blocks / of_rows), 1) AS effect,
    x -> if(isFinite(x), x, NULL) AS said,
    -- A fit (intercept, slope) to ys that came true of ns rows at log odds xs: itself, the two parts of its gradient, the three of its information.
    (fit, xs, ns, ys) -> (
        fit.1, fit.2, arrayMap(x -> 1 / (1 + exp(-fit.1 - fit.2 * x)), xs) AS q,
        arraySum((m, y, each) -> y - m * each, ns, ys, q), arraySum((x, m, y, each) -> x * (y - m * each), xs, ns, ys, q),
        arraySum((m, each) -> m * each * (1 - each), ns, q), arraySum((x, m, each) -> x * m * each * (1 - each), xs, ns, q),
        arraySum((x, m, each) -> x * x * m * each * (1 - each), xs, ns, q)) AS fitted_so,
    -- Newton's next one
    of -> (of.1 + (of.8 * of.4 - of.7 * of.5) / (of.6 * of.8 - of.7 * of.7), of.2 + (of.6 * of.5 - of.7 * of.4) / (of.6 * of.8 - of.7 * of.7)) AS next,
    if({step:UInt32} >= 604800, 86400, greatest(intDiv({step:UInt32}, 24), 1)) AS block_s,
    told AS
    (
        SELECT toStartOfInterval(event_time, toIntervalSecond({step:UInt32}), 'UTC') AS begin,
               intDiv(toUnixTimestamp(event_time) - toUnixTimestamp(begin), block_s) AS block,
               has_outcome, nullIf({meant:Array(String)}[indexOf({words:Array(String)}, label)], '') = {positive:String} AS truth,
               isNotNull(truth) AND bin != 32767 AS counts, ifNull(truth, 0) AS hit, if(counts, bin, 0) AS at, n, odds, chances, squares, others
        FROM <outcome_rows: cells = outcome_scores; kept = has_outcome, label, bin, c.n AS n, odds, chances, squares, others; said = isFinite(score) AS counts, if(counts, least(greatest(toFloat64(score), 1e-7), 1 - 1e-7), 0.5) AS p, ln(p / (1 - p)) AS odd; joined = has_outcome, toString(ifNull(r.label, '')) AS label, if(counts, toInt16(round(32 * odd)), toInt16(32767)) AS bin, toUInt64(1) AS n, odd AS odds, p AS chances, p * p AS squares, pow(1 - p, 2) AS others; at = toDateTime(r.event_time, 'UTC'); more = AND true>
    ),
    cells AS
    (
        SELECT r.begin AS begin, r.block AS block, r.at AS bin, sum(r.n) AS rows, sumIf(r.n, r.has_outcome) AS known,
               sumIf(r.n, r.counts) AS n, toUInt64(sumIf(r.n, r.counts AND r.hit)) AS hits, sumIf(r.odds, r.counts) AS odds, sumIf(r.chances, r.counts) AS chances,
               sumIf(if(r.hit, r.others, r.squares), r.counts) AS squares
        FROM told AS r
        GROUP BY begin, block, bin
    ),
    windows AS
    (
        SELECT c.begin AS begin, sum(c.rows) AS predictions, sum(c.known) AS outcomes, sum(c.n) AS all_n,
               sumMap(map(c.bin, c.n)) AS by_bin, sumMap(map(c.bin, c.hits)) AS hits, sumMap(map(c.bin, c.odds)) AS odds,
               arrayMap(m -> toFloat64(m), mapValues(by_bin)) AS ns, arrayMap(at -> toFloat64(hits[at]), mapKeys(by_bin)) AS ys, arrayMap(at -> odds[at] / by_bin[at], mapKeys(by_bin)) AS xs,
               sumMap(map(c.block, c.n)) AS block_ns, sumMap(map(c.block, c.hits - c.chances)) AS offs, length(block_ns) AS blocks,
               (sum(c.hits) - sum(c.chances)) / all_n AS off, sum(c.squares) - all_n * pow(off, 2) AS by_rows,
               arraySum(at -> pow(offs[at] - off * block_ns[at], 2), mapKeys(block_ns)) * (blocks / (blocks - 1)) AS by_blocks,
               effect(by_blocks, by_rows) AS design_effect, student(blocks - 1) AS t
        FROM cells AS c
        GROUP BY begin
    ),
    fitted AS
    (
        SELECT *, arrayFold((of, turn) -> arrayMap(fit -> fitted_so(fit, xs, ns, ys), [next(of)])[1], range(30), fitted_so((0., 1.), xs, ns, ys)) AS fit,
               fit.6 * fit.8 - fit.7 * fit.7 AS determinant, abs(fit.4) + abs(fit.5) < 1e-6 * w.all_n AND determinant > 1e-9 * pow(w.all_n, 2) AS found
        FROM windows AS w
    )
SELECT begin AS time, each.1 AS figure, if(found, each.2, NULL) AS coefficient, all_n AS n,
       if(found, said(each.2 - each.3 * t), NULL) AS low, if(found, said(each.2 + each.3 * t), NULL) AS high,
       predictions, outcomes / predictions AS maturity, blocks, if(blocks > 1, f.design_effect, NULL) AS design_effect
FROM fitted AS f
ARRAY JOIN [('slope', fit.2, sqrt(fit.6 / determinant * f.design_effect)), ('intercept', fit.1, sqrt(fit.8 / determinant * f.design_effect))] AS each
ORDER BY time, figure
