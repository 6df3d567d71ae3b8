-- name: outcome/log_loss
-- question: Are its chances right?
-- title: Log loss and Brier score of the chances that were given
-- source: log loss: minus the logarithm of the chance given to what came true, chances below 1e-7 taken as that (Good 1952); Brier 1950: squared distance of the chances, of two classes of the positive one alone; variance of means by rows or by blocks (a 24th of the window, of a week or more a day) and Student's t (Cornish and Fisher 1938) over them
-- tasks: binary multiclass
-- time: time
-- value: log_loss
-- unit: nats
-- n: n
-- low: low
-- high: high
-- minimum: 100
-- panel: lines
-- verdict: performance
-- series: log_loss as log loss, prior_log_loss as of the shares alone base
-- window: 1d
-- maturity: 0.9
-- filters: version variant tenant team
-- grain: predictions outcomes
-- usual: rises
-- runbook: outcome
-- Held to its own last 28 windows, since no bound of another service fits: it warns where it is worse than their prediction
-- interval makes likely (Student's t, see monitor/usual.py), and pages nobody.
-- Intervals are at 95 %. They allow for rows of one block that go together, and not for what lasts longer than a block: where
-- days go together, ask for windows of weeks. design_effect: what the blocks say of the variance over what rows would, 1 or more.
-- maturity: share of predictions that have an outcome. unusable: chances that are no number, in no figure. A class that the
-- model that answered does not know had no chance. prior_log_loss: of one who gives each class its share of this window.
WITH
    degrees -> 1.959964 + 2.372271 / degrees + 2.822499 / pow(degrees, 2) + 2.55585 / pow(degrees, 3) AS student,
    (of_blocks, of_rows) -> if(of_rows > 0, greatest(1, of_blocks / of_rows), 1) AS effect,
    x -> if(isFinite(x), x, NULL) AS said,
    if({step:UInt32} >= 604800, 86400, greatest(intDiv({step:UInt32}, 24), 1)) AS block_s,
    told AS
    (
        SELECT toStartOfInterval(event_time, toIntervalSecond({step:UInt32}), 'UTC') AS begin,
               intDiv(toUnixTimestamp(event_time) - toUnixTimestamp(begin), block_s) AS block,
               has_outcome, nullIf({meant:Array(String)}[indexOf({words:Array(String)}, label)], '') AS truth, n, usable,
               of_two AND ifNull(truth != {positive:String}, 0) AS other, if(other, other_loss, loss) AS a_loss, if(other, other_loss2, loss2) AS a_loss2,
               if(other, other_square, square) AS a_square, if(other, other_square2, square2) AS a_square2
        FROM <outcome_rows: cells = outcome_counts; kept = has_outcome, label, of_two, c.n AS n, usable, loss, loss2, square, square2, other_loss, other_loss2, other_square, other_square2; said = toString(ifNull(r.label, '')) AS word, empty(outputs) AS two, toFloat64(score) AS p, arrayMap(each -> toFloat64(each), mapValues(outputs)) AS chances, isFinite(p) AND arrayAll(each -> isFinite(each), chances) AS counts, if(counts, if(two, p, toFloat64(outputs[word])), 0.5) AS q, if(counts, -ln(least(greatest(q, 1e-7), 1 - 1e-7)), 0) AS a, if(counts AND two, -ln(least(greatest(1 - q, 1e-7), 1 - 1e-7)), 0) AS b, multiIf(NOT counts, 0, two, pow(1 - q, 2), arraySum(each -> pow(each, 2), chances) - 2 * q + 1) AS s, if(counts AND two, q * q, 0) AS t; joined = has_outcome, word AS label, two AS of_two, toUInt64(1) AS n, toUInt64(counts) AS usable, a AS loss, a * a AS loss2, s AS square, s * s AS square2, b AS other_loss, b * b AS other_loss2, t AS other_square, t * t AS other_square2; at = toDateTime(r.event_time, 'UTC'); more = AND true>
    ),
    blocks AS
    (
        SELECT r.begin AS begin, block, sum(r.n) AS rows, sumIf(r.n, r.has_outcome) AS known, sumIf(r.n - r.usable, isNotNull(r.truth)) AS strange,
               sumIf(r.usable, isNotNull(r.truth)) AS n, sumIf(r.a_loss, isNotNull(r.truth)) AS loss, sumIf(r.a_square, isNotNull(r.truth)) AS square,
               sumIf(r.a_loss2, isNotNull(r.truth)) AS losses2, sumIf(r.a_square2, isNotNull(r.truth)) AS squares2,
               sumMapIf(map(ifNull(r.truth, ''), r.usable), isNotNull(r.truth)) AS by_class
        FROM told AS r
        GROUP BY begin, block
    ),
    windows AS
    (
        SELECT b.begin AS begin, sum(b.rows) AS predictions, sum(b.known) AS outcomes, sum(b.strange) AS unusable, sum(b.n) AS n,
               countIf(b.n > 0) AS blocks, sum(b.loss) / n AS log_loss, sum(b.square) / n AS brier, mapValues(sumMap(b.by_class)) AS counts,
               -arraySum(each -> each * ln(each / n), counts) / n AS prior_log_loss,
               groupArray(b.n) AS ns, groupArray(b.loss) AS loss_sums, groupArray(b.square) AS square_sums, blocks / (blocks - 1) AS few,
               greatest(sum(b.losses2) - n * pow(log_loss, 2), 0) AS loss_rows, greatest(sum(b.squares2) - n * pow(brier, 2), 0) AS square_rows,
               arraySum((v, m) -> pow(v - log_loss * m, 2), loss_sums, ns) * few AS loss_blocks,
               arraySum((v, m) -> pow(v - brier * m, 2), square_sums, ns) * few AS square_blocks,
               student(blocks - 1) AS t, sqrt(greatest(loss_rows, loss_blocks)) / n * t AS half, sqrt(greatest(square_rows, square_blocks)) / n * t AS square_half
        FROM blocks AS b
        GROUP BY begin
    )
SELECT begin AS time, said(w.log_loss) AS log_loss, n, if(blocks > 1, greatest(w.log_loss - half, 0), NULL) AS low, said(w.log_loss + half) AS high,
       said(w.brier) AS brier, if(blocks > 1, greatest(w.brier - square_half, 0), NULL) AS brier_low, said(w.brier + square_half) AS brier_high, said(w.prior_log_loss) AS prior_log_loss,
       predictions, outcomes / predictions AS maturity, unusable, blocks, if(blocks > 1, effect(loss_blocks, loss_rows), NULL) AS design_effect
FROM windows AS w
ORDER BY time
