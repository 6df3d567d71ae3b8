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
               has_outcome, nullIf({meant:Array(String)}[indexOf({words:Array(String)}, toString(ifNull(label, '')))], '') AS truth, toFloat64(score) AS p, arrayMap(each -> toFloat64(each), mapValues(outputs)) AS chances, empty(outputs) AS of_two,
               isNotNull(truth) AND isFinite(p) AND arrayAll(each -> isFinite(each), chances) AS counts,
               if(of_two, if(truth = {positive:String}, p, 1 - p), toFloat64(outputs[toString(ifNull(truth, ''))])) AS of_truth,
               if(counts, -ln(least(greatest(of_truth, 1e-7), 1 - 1e-7)), 0) AS loss,
               if(counts, if(of_two, pow(1 - of_truth, 2), arraySum(each -> pow(each, 2), chances) - 2 * of_truth + 1), 0) AS square
        FROM {results:Identifier}
        WHERE service = {service:String} AND event_time >= {from:DateTime} AND event_time < {to:DateTime}
          AND {version:String} IN ('', version) AND {variant:String} IN ('', variant)
          AND {tenant:String} IN ('', tenant) AND {team:String} IN ('', team)
    ),
    blocks AS
    (
        SELECT r.begin AS begin, block, count() AS rows, countIf(r.has_outcome) AS known, countIf(isNotNull(r.truth) AND NOT r.counts) AS strange,
               countIf(r.counts) AS n, sum(r.loss) AS loss, sum(r.square) AS square, sum(pow(r.loss, 2)) AS losses2, sum(pow(r.square, 2)) AS squares2,
               sumMapIf(map(ifNull(r.truth, ''), 1), r.counts) AS by_class
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
