-- name: outcome/decisions
-- question: Are the right ones flagged, and how many?
-- title: Precision, recall, F1 and alert rate of what is decided
-- source: flagged: decided for the positive class, or for any band but the lowest; F1 = 2 caught / (flagged + true), van Rijsbergen 1979; interval by Wilson 1927 of rows over the design effect, which comes of ratios of sums by rows and by blocks (a 24th of the window, of a week or more a day) and Student's t (Cornish and Fisher 1938) over them
-- tasks: binary
-- time: time
-- subject: figure
-- value: share
-- unit: share
-- n: n
-- low: low
-- high: high
-- minimum: 30
-- panel: lines
-- verdict: performance
-- series: share as share
-- window: 1d
-- maturity: 0.9
-- filters: version variant tenant team
-- grain: predictions outcomes
-- usual: precision falls, recall falls, f1 falls
-- runbook: outcome
-- Held to its own last 28 windows, since no bound of another service fits: it warns where it is worse than their prediction
-- interval makes likely (Student's t, see monitor/usual.py), and pages nobody.
-- Intervals are at 95 %. They allow for rows of one block that go together, and not for what lasts longer than a block: where
-- days go together, ask for windows of weeks. design_effect: what the blocks say of the variance over what rows would, 1 or more.
-- maturity: share of predictions that have an outcome. n: rows that the figure is a share of: of precision those flagged, of
-- recall those that came true, of F1 both, of the alert rate all predictions, with an outcome or without.
WITH
    degrees -> 1.959964 + 2.372271 / degrees + 2.822499 / pow(degrees, 2) + 2.55585 / pow(degrees, 3) AS student,
    (of_blocks, of_rows) -> if(of_rows > 0, greatest(1, of_blocks / of_rows), 1) AS effect,
    x -> if(isFinite(x), x, NULL) AS said,
    (share, m, t, side) -> (share + t * t / m / 2 + side * t * sqrt(share * (1 - share) / m + pow(t / m / 2, 2))) / (1 + t * t / m) AS wilson,
    if({step:UInt32} >= 604800, 86400, greatest(intDiv({step:UInt32}, 24), 1)) AS block_s,
    told AS
    (
        SELECT toStartOfInterval(event_time, toIntervalSecond({step:UInt32}), 'UTC') AS begin,
               intDiv(toUnixTimestamp(event_time) - toUnixTimestamp(begin), block_s) AS block,
               has_outcome, nullIf({meant:Array(String)}[indexOf({words:Array(String)}, label)], '') = {positive:String} AS truth, has({flagging:Array(String)}, decision) AS flagged,
               toFloat64(ifNull(truth = 1 AND flagged, 0)) AS caught, toFloat64(flagged AND isNotNull(truth)) AS judged, toFloat64(ifNull(truth = 1, 0)) AS came, n
        FROM <outcome_rows: cells = outcome_counts; kept = has_outcome, label, decision, c.n AS n; said = toString(ifNull(r.label, '')) AS word; joined = has_outcome, word AS label, decision, toUInt64(1) AS n; at = toDateTime(r.event_time, 'UTC'); more = AND true>
    ),
    blocks AS
    (
        SELECT r.begin AS begin, r.block AS block, each.1 AS figure, sum(r.n) AS rows, sumIf(r.n, r.has_outcome) AS known,
               sum(r.n * each.2) AS top, sum(r.n * each.3) AS bottom, sum(r.n * pow(each.2, 2)) AS top2, sum(r.n * each.2 * each.3) AS both, sum(r.n * pow(each.3, 2)) AS bottom2
        FROM told AS r
        ARRAY JOIN [('precision', caught, judged), ('recall', caught, came), ('f1', 2 * caught, judged + came), ('alert_rate', toFloat64(flagged), 1.)] AS each
        GROUP BY begin, block, figure
    ),
    windows AS
    (
        SELECT b.begin AS begin, figure, sum(b.rows) AS predictions, sum(b.known) AS outcomes, sum(b.bottom) AS all_n, sum(b.top) / all_n AS share,
               countIf(b.bottom > 0) AS blocks, student(blocks - 1) AS t,
               sum(b.top2) - 2 * share * sum(b.both) + pow(share, 2) * sum(b.bottom2) AS by_rows,
               arraySum((v, m) -> pow(v - share * m, 2), groupArray(b.top), groupArray(b.bottom)) * (blocks / (blocks - 1)) AS by_blocks,
               effect(by_blocks, by_rows) AS design_effect
        FROM blocks AS b
        GROUP BY begin, figure
    )
SELECT begin AS time, figure, said(w.share) AS share, toUInt64(all_n) AS n, said(wilson(w.share, all_n / w.design_effect, t, -1)) AS low,
       said(wilson(w.share, all_n / w.design_effect, t, 1)) AS high, predictions, outcomes / predictions AS maturity, blocks, if(blocks > 1, w.design_effect, NULL) AS design_effect
FROM windows AS w
ORDER BY time, figure
