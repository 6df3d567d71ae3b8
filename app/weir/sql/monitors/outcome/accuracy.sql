-- name: outcome/accuracy
-- question: How often is it right?
-- title: Accuracy, and F1 over all classes
-- source: F1 of a class = 2 hits / (times decided + times true), its mean over all classes that were either, plain (macro) and by how often each came true (weighted), as in scikit-learn; their variance by the delta method, by rows or by blocks (a 24th of the window, of a week or more a day) and Student's t (Cornish and Fisher 1938) over them
-- tasks: multiclass
-- time: time
-- subject: figure
-- value: share
-- unit: share
-- n: n
-- low: low
-- high: high
-- minimum: 100
-- panel: lines
-- verdict: performance
-- series: share as share
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
-- maturity: share of predictions that have an outcome. unknown: labels that no bundle of the service has, in no figure.
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
               has_outcome, nullIf({meant:Array(String)}[indexOf({words:Array(String)}, label)], '') AS truth, label != '' AND isNull(truth) AS strange, toString(decision) AS decided, n
        FROM <outcome_rows: cells = outcome_counts; kept = has_outcome, label, decision, c.n AS n; said = toString(ifNull(r.label, '')) AS word; joined = has_outcome, word AS label, decision, toUInt64(1) AS n; at = toDateTime(r.event_time, 'UTC'); more = AND true>
    ),
    cells AS
    (
        SELECT begin, block, ifNull(truth, '') AS came, if(came = '', '', decided) AS called, sum(n) AS rows, sumIf(n, has_outcome) AS known, sumIf(n, strange) AS unknown
        FROM told
        GROUP BY begin, block, came, called
    ),
    windows AS
    (
        SELECT c.begin AS begin, sum(c.rows) AS predictions, sum(c.known) AS outcomes, sum(c.unknown) AS unknown, sumIf(c.rows, c.came != '') AS n,
               groupArrayIf((c.block, c.came, c.called, c.rows), c.came != '') AS table,
               sumMapIf(map(c.came, c.rows), c.came != '') AS support, sumMapIf(map(c.called, c.rows), c.came != '') AS times,
               sumMapIf(map(c.came, c.rows), c.came != '' AND c.came = c.called) AS hits,
               arrayDistinct(arrayConcat(mapKeys(support), mapKeys(times))) AS names, length(names) AS k,
               mapFromArrays(names, arrayMap(name -> (support[name] + times[name]) / 1, names)) AS both,
               mapFromArrays(names, arrayMap(name -> 2 * hits[name] / both[name], names)) AS f1,
               arraySum(mapValues(hits)) / n AS accuracy, arraySum(mapValues(f1)) / k AS macro, arraySum(name -> f1[name] * support[name], names) / n AS weighted
        FROM cells AS c
        GROUP BY begin
    ),
    -- What one row adds to each figure: its derivative by the counts that the row is in.
    parts AS
    (
        SELECT begin, predictions, outcomes, unknown, n,
               [('accuracy', accuracy, arrayMap(row -> (row.1, row.4, (row.2 = row.3) - accuracy), table)),
                ('macro_f1', macro, arrayMap(row -> (row.1, row.4,
                    (2 * (row.2 = row.3) - f1[row.2]) / both[row.2] / k * n - f1[row.3] / both[row.3] / k * n), table)),
                ('weighted_f1', weighted, arrayMap(row -> (row.1, row.4,
                    (2 * (row.2 = row.3) - f1[row.2]) / both[row.2] * support[row.2] - f1[row.3] / both[row.3] * support[row.3] + f1[row.2] - weighted), table))] AS figures
        FROM windows
    ),
    bounded AS
    (
        SELECT begin, predictions, outcomes, unknown, n, each.1 AS figure, each.2 AS share, arrayDistinct((each.3).1) AS places, length(places) AS blocks,
               arraySum(row -> row.2 * pow(row.3, 2), each.3) AS by_rows,
               arraySum(sum -> pow(sum, 2), arrayReduce('sumMap', [(each.3).1], [arrayMap(row -> row.2 * row.3, each.3)]).2) * (blocks / (blocks - 1)) AS by_blocks,
               student(blocks - 1) AS t, effect(by_blocks, by_rows) AS design_effect,
               if(by_rows > 0, share * (1 - share) / by_rows * pow(n, 2), n) / design_effect AS effective_n
        FROM parts
        ARRAY JOIN figures AS each
    )
SELECT begin AS time, figure, said(b.share) AS share, n, said(wilson(b.share, effective_n, t, -1)) AS low, said(wilson(b.share, effective_n, t, 1)) AS high,
       predictions, outcomes / predictions AS maturity, unknown, blocks, if(blocks > 1, b.design_effect, NULL) AS design_effect
FROM bounded AS b
ORDER BY time, figure
