-- name: outcome/calibration
-- question: Does what it says by half come true by half?
-- title: Share that came true by the chance that was given
-- source: reliability curve by tenths of the chance (Murphy and Winkler 1977); interval by Wilson 1927 of rows over the design effect, which comes of what came true minus its chance, over all tenths, by rows and by blocks (a 24th of the window, of a week or more a day) and Student's t (Cornish and Fisher 1938) over them
-- tasks: binary multiclass
-- time: time
-- subject: class tenth
-- value: came_true
-- unit: share
-- n: n
-- low: low
-- high: high
-- minimum: 30
-- panel: points
-- verdict: calibration
-- window: 1d
-- maturity: 0.9
-- filters: version variant tenant team
-- grain: predictions outcomes
-- No bound: each tenth of each class would be a chance of its own to be wrong. outcome/calibration_slope and outcome/log_loss are
-- held to their history.
-- Intervals are at 95 %. They allow for rows of one block that go together, and not for what lasts longer than a block: where
-- days go together, ask for windows of weeks. design_effect: what the blocks say of the variance over what rows would, 1 or more.
-- tenth: the least chance of it. chance: mean of the chances that were given, gap: came_true minus that. calibration_error: mean size
-- of the gaps of a class. maturity: share of predictions that have an outcome. Of two classes the positive one alone.
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
               has_outcome, nullIf({meant:Array(String)}[indexOf({words:Array(String)}, label)], '') AS truth,
               if(class = '', {positive:String}, toString(class)) AS of_class, tenth AS bin, n, isNotNull(truth) AS counts, ifNull(truth = of_class, 0) AS hit, usable, chances, squares, others
        FROM <outcome_rows: cells = outcome_chances; kept = has_outcome, label, class, tenth, c.n AS n, usable, chances, squares, others; said = arrayJoin(if(empty(outputs), [('', score)], arrayZip(CAST(mapKeys(outputs), 'Array(String)'), mapValues(outputs)))) AS each, isFinite(each.2) AS counts, if(counts, toFloat64(each.2), 0) AS chance; joined = has_outcome, toString(ifNull(r.label, '')) AS label, each.1 AS class, toUInt8(least(greatest(floor(chance * 10 + 1e-6), 0), 9)) AS tenth, toUInt64(1) AS n, toUInt64(counts) AS usable, chance AS chances, if(counts, pow(chance, 2), 0) AS squares, if(counts, pow(1 - chance, 2), 0) AS others; at = toDateTime(r.event_time, 'UTC'); more = AND true>
    ),
    cells AS
    (
        SELECT g.begin AS begin, g.block AS block, g.of_class AS class, g.bin AS bin, sum(g.n) AS rows, sumIf(g.n, g.has_outcome) AS known, sumIf(g.usable, g.counts) AS n,
               toUInt64(sumIf(g.usable, g.hit)) AS hits, sumIf(g.chances, g.counts) AS chances, sumIf(if(g.hit, g.others, g.squares), g.counts) AS squares
        FROM told AS g
        GROUP BY begin, block, class, bin
    ),
    windows AS
    (
        SELECT c.begin AS begin, c.class AS class, sum(c.rows) AS predictions, sum(c.known) AS outcomes, sum(c.n) AS all_n,
               sumMap(map(c.bin, c.n)) AS ns, sumMap(map(c.bin, c.hits)) AS hits, sumMap(map(c.bin, c.chances)) AS chances,
               sumMap(map(c.block, c.n)) AS block_ns, sumMap(map(c.block, c.hits - c.chances)) AS offs, length(block_ns) AS blocks,
               (sum(c.hits) - sum(c.chances)) / all_n AS off, sum(c.squares) - all_n * pow(off, 2) AS by_rows,
               arraySum(at -> pow(offs[at] - off * block_ns[at], 2), mapKeys(block_ns)) * (blocks / (blocks - 1)) AS by_blocks,
               effect(by_blocks, by_rows) AS design_effect, student(blocks - 1) AS t,
               arraySum(at -> abs(hits[at] - chances[at]), mapKeys(ns)) / all_n AS calibration_error
        FROM cells AS c
        GROUP BY begin, class
    )
SELECT begin AS time, class, toString(bin / 10) AS tenth, hits[bin] / ns[bin] AS came_true, ns[bin] AS n,
       said(wilson(hits[bin] / ns[bin], ns[bin] / w.design_effect, t, -1)) AS low, said(wilson(hits[bin] / ns[bin], ns[bin] / w.design_effect, t, 1)) AS high,
       chances[bin] / ns[bin] AS chance, came_true - chance AS gap, w.calibration_error AS calibration_error,
       predictions, outcomes / predictions AS maturity, blocks, if(blocks > 1, w.design_effect, NULL) AS design_effect
FROM windows AS w
ARRAY JOIN mapKeys(ns) AS bin
ORDER BY time, class, bin
