-- name: outcome/auc
-- question: Does it still put those that come true first?
-- title: Area under the ROC curve
-- source: ties count half (Fawcett 2006); variance of placements by rows (DeLong 1988) or by blocks (Obuchowski 1997), the larger; interval as of a share with that variance (Wilson 1927)
-- tasks: binary
-- time: time
-- value: auc
-- unit: auc
-- n: n
-- low: low
-- high: high
-- minimum: 100
-- panel: lines
-- verdict: performance
-- series: auc as AUC
-- window: 1d
-- maturity: 0.9
-- filters: version variant tenant team
-- grain: predictions outcomes
-- usual: falls
-- runbook: outcome
-- Held to its own last 28 windows, since no bound of another service fits: it warns where it is worse than their prediction
-- interval makes likely (Student's t, see monitor/usual.py), and pages nobody.
-- Intervals are at 95 %. They allow for rows of one block that go together, and not for what lasts longer than a block: where
-- days go together, ask for windows of weeks. design_effect: what the blocks say of the variance over what rows would, 1 or more.
-- maturity: share of predictions that have an outcome. unusable: scores that are no number, in no figure.
-- A window that has hours of which cells are kept takes scores as equal that are in one 32nd of log odds, and chances beyond 1e-7
-- and 1 - 1e-7: off_by is the most that this can change auc; 0 where scores are compared one by one.
-- Null where one of the classes never came true; no interval from one block, or from one row of a class.
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
               usable, p, has_outcome, n, binned,
               if(usable, nullIf({meant:Array(String)}[indexOf({words:Array(String)}, label)], '') = {positive:String}, NULL) AS truth
        FROM <outcome_rows: cells = outcome_scores; kept = has_outcome, label, notEquals(bin, 32767) AS usable, if(usable, 1 / (1 + exp(-bin / 32)), 0) AS p, c.n AS n, n AS binned; said = isFinite(score) AS counts, toFloat64(if(counts, score, 0)) + 0 AS exact, least(greatest(exact, 1e-7), 1 - 1e-7) AS inner, has(arrayMap(cell -> toStartOfInterval(cell.1, toIntervalSecond({step:UInt32}), 'UTC'), counted), toStartOfInterval(toDateTime(r.event_time, 'UTC'), toIntervalSecond({step:UInt32}), 'UTC')) AS beside; joined = has_outcome, toString(ifNull(r.label, '')) AS label, counts AS usable, if(beside AND counts, 1 / (1 + exp(-round(32 * ln(inner / (1 - inner))) / 32)), exact) AS p, toUInt64(1) AS n, toUInt64(beside) AS binned; at = toDateTime(r.event_time, 'UTC'); more = AND true>
    ),
    cells AS
    (
        SELECT begin, block, p, sum(n) AS rows, sumIf(n, has_outcome) AS known, sumIf(n, NOT usable) AS strange,
               toInt64(sumIf(n, truth = 1)) AS pos, toInt64(sumIf(n, truth = 0)) AS neg, max(binned) > 0 AS is_binned
        FROM told
        GROUP BY begin, block, p
    ),
    ranked AS
    (
        SELECT begin, block, rows, known, strange, pos, neg, sum(pos) OVER everything AS all_pos, sum(neg) OVER everything AS all_neg,
               2 * sum(neg) OVER up_to - sum(neg) OVER ties AS below,                          -- negatives below a row, ties half, twice
               2 * (all_pos - sum(pos) OVER up_to) + sum(pos) OVER ties AS above,              -- positives above a row, the same
               if(is_binned, pos * sum(neg) OVER ties, 0) AS within                            -- pairs that may be no ties, but for their bin
        FROM cells
        WINDOW up_to AS (PARTITION BY begin ORDER BY p), ties AS (PARTITION BY begin, p), everything AS (PARTITION BY begin)
    ),
    blocks AS
    (
        SELECT r.begin AS begin, block, any(r.all_pos) AS all_pos, any(r.all_neg) AS all_neg, sum(r.rows) AS rows, sum(r.known) AS known, sum(r.strange) AS strange,
               sum(r.pos) AS pos, sum(r.neg) AS neg, sum(r.pos * r.below) AS pairs, sum(r.within) AS within,
               sum(r.pos * (r.below / 2 / r.all_neg)) AS pos_sum, sum(r.pos * pow(r.below / 2 / r.all_neg, 2)) AS pos_squares,
               sum(r.neg * (r.above / 2 / r.all_pos)) AS neg_sum, sum(r.neg * pow(r.above / 2 / r.all_pos, 2)) AS neg_squares
        FROM ranked AS r
        GROUP BY begin, block
    ),
    windows AS
    (
        SELECT b.begin AS begin, any(b.all_pos) AS positives, any(b.all_neg) AS negatives, sum(b.rows) AS predictions, sum(b.known) AS outcomes,
               sum(b.strange) AS unusable, countIf(b.pos + b.neg > 0) AS blocks,
               sum(b.pairs) / 2 / positives / negatives AS auc, sum(b.within) / 2 / positives / negatives AS off_by,
               (sum(b.pos_squares) - positives * pow(auc, 2)) / positives / (positives - 1)
                   + (sum(b.neg_squares) - negatives * pow(auc, 2)) / negatives / (negatives - 1) AS by_rows,
               arraySum((v, m, w, k) -> pow((v - auc * m) / positives + (w - auc * k) / negatives, 2),
                        groupArray(b.pos_sum), groupArray(b.pos), groupArray(b.neg_sum), groupArray(b.neg)) * (blocks / (blocks - 1)) AS by_blocks
        FROM blocks AS b
        GROUP BY begin
    ),
    bounded AS
    (
        SELECT *, effect(by_blocks, by_rows) AS design_effect, student(blocks - 1) AS t, positives > 1 AND negatives > 1 AND blocks > 1 AS enough,
               if(by_rows > 0, auc * (1 - auc) / by_rows, least(positives, negatives)) / design_effect AS effective_n
        FROM windows
    )
SELECT begin AS time, said(bounded.auc) AS auc, positives + negatives AS n,
       if(enough, wilson(bounded.auc, effective_n, t, -1), NULL) AS low, if(enough, wilson(bounded.auc, effective_n, t, 1), NULL) AS high,
       positives, negatives, predictions, outcomes / predictions AS maturity, unusable, said(bounded.off_by) AS off_by, blocks, if(enough, bounded.design_effect, NULL) AS design_effect
FROM bounded
ORDER BY time
