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
    -- below: negatives below a row, ties half, twice; beneath: positives below it, the same; tied: negatives with which it may be no
    -- tie, but for their bin. Of cells many rows of a window have one score, which is ranked once, with its blocks as arrays; where
    -- all is joined (edges/clickhouse/outcome_cells.py) hardly any have, and they are ranked as they are.
    ranked AS
    (
        -- cells
        SELECT begin, block, if(place = 1, s.rows, 0) AS rows, if(place = 1, s.known, 0) AS known, if(place = 1, s.strange, 0) AS strange,
               of_pos AS pos, of_neg AS neg, below, beneath, tied
        FROM
        (
            SELECT begin, rows, known, strange, blocks, parts_pos, parts_neg,
                   2 * sum(a.neg) OVER up_to - neg AS below, 2 * sum(a.pos) OVER up_to - pos AS beneath, if(is_binned, neg, 0) AS tied
            FROM
            (
                SELECT begin, p, sum(n) AS rows, sumIf(n, has_outcome) AS known, sumIf(n, NOT usable) AS strange, max(binned) > 0 AS is_binned,
                       toInt64(sumIf(n, truth = 1)) AS pos, toInt64(sumIf(n, truth = 0)) AS neg, groupArray(block) AS blocks,
                       groupArray(toInt64(if(truth = 1, n, 0))) AS parts_pos, groupArray(toInt64(if(truth = 0, n, 0))) AS parts_neg
                FROM told
                GROUP BY begin, p
            ) AS a
            WINDOW up_to AS (PARTITION BY begin ORDER BY p ROWS UNBOUNDED PRECEDING)
        ) AS s
        ARRAY JOIN blocks AS block, parts_pos AS of_pos, parts_neg AS of_neg, arrayEnumerate(blocks) AS place
        -- joined: SELECT begin, block, rows, known, strange, pos, neg, 2 * sum(c.neg) OVER up_to - sum(c.neg) OVER ties AS below, 2 * sum(c.pos) OVER up_to - sum(c.pos) OVER ties AS beneath, toInt64(0) AS tied FROM (SELECT begin, block, p, sum(n) AS rows, sumIf(n, has_outcome) AS known, sumIf(n, NOT usable) AS strange, toInt64(sumIf(n, truth = 1)) AS pos, toInt64(sumIf(n, truth = 0)) AS neg FROM told GROUP BY begin, block, p) AS c WINDOW up_to AS (PARTITION BY begin ORDER BY p), ties AS (PARTITION BY begin, p)
    ),
    blocks AS
    (
        SELECT r.begin AS begin, r.block AS block, sum(r.rows) AS rows, sum(r.known) AS known, sum(r.strange) AS strange, sum(r.pos) AS pos, sum(r.neg) AS neg,
               sum(r.pos * r.below) AS pairs, sum(r.pos * r.tied) AS within, sum(r.pos * pow(r.below, 2)) AS pairs_squares,
               sum(r.neg * r.beneath) AS lost, sum(r.neg * pow(r.beneath, 2)) AS lost_squares
        FROM ranked AS r
        GROUP BY begin, block
    ),
    windows AS
    (
        SELECT b.begin AS begin, sum(b.pos) AS positives, sum(b.neg) AS negatives, sum(b.rows) AS predictions, sum(b.known) AS outcomes,
               sum(b.strange) AS unusable, countIf(b.pos + b.neg > 0) AS blocks,
               sum(b.pairs) / 2 / positives / negatives AS auc, sum(b.within) / 2 / positives / negatives AS off_by,
               -- placements: of a positive the share of negatives below it, of a negative the share of positives above it
               (sum(b.pairs_squares) / pow(2 * negatives, 2) - positives * pow(auc, 2)) / positives / (positives - 1)
                   + (negatives - sum(b.lost) / positives + sum(b.lost_squares) / pow(2 * positives, 2) - negatives * pow(auc, 2)) / negatives / (negatives - 1) AS by_rows,
               arraySum((v, m, w, k) -> pow((v / 2 / negatives - auc * m) / positives + (k - w / 2 / positives - auc * k) / negatives, 2),
                        groupArray(b.pairs), groupArray(b.pos), groupArray(b.lost), groupArray(b.neg)) * (blocks / (blocks - 1)) AS by_blocks
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
