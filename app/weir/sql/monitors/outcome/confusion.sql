-- name: outcome/confusion
-- question: What does it take for what?
-- title: Each class that came true, by what was decided
-- source: confusion matrix, each class that came true by itself; interval by Wilson 1927 of rows over the design effect, by rows and by blocks (a 24th of the window, of a week or more a day) and Student's t (Cornish and Fisher 1938) over them
-- tasks: binary multiclass
-- time: time
-- subject: came decided
-- value: share
-- unit: share
-- n: n
-- low: low
-- high: high
-- minimum: 30
-- panel: heat
-- verdict: confusion
-- window: 1d
-- maturity: 0.9
-- filters: version variant tenant team
-- grain: predictions outcomes
-- No bound: its cells are the parts of what outcome/accuracy is held to.
-- Intervals are at 95 %. They allow for rows of one block that go together, and not for what lasts longer than a block: where
-- days go together, ask for windows of weeks. design_effect: what the blocks say of the variance over what rows would, 1 or more.
-- share: of the rows of n whose class came true, those that were decided so; times: how many. A pair that never was has no row.
-- maturity: share of all predictions that have an outcome.
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
               has_outcome, nullIf({meant:Array(String)}[indexOf({words:Array(String)}, label)], '') AS truth, {meant:Array(String)}[indexOf({words:Array(String)}, toString(decision))] AS called,
               if(called = '', toString(decision), called) AS decided, n
        FROM <outcome_rows: cells = outcome_counts; kept = has_outcome, label, decision, c.n AS n; said = toString(ifNull(r.label, '')) AS word; joined = has_outcome, word AS label, decision, toUInt64(1) AS n; at = toDateTime(r.event_time, 'UTC'); more = AND true>
    ),
    cells AS
    (
        SELECT begin, block, ifNull(truth, '') AS came, if(came = '', '', decided) AS called, sum(n) AS rows, sumIf(n, has_outcome) AS known
        FROM told
        GROUP BY begin, block, came, called
    ),
    counted AS
    (
        SELECT begin, block, came, called, rows, sum(rows) OVER (PARTITION BY begin) AS predictions, sum(known) OVER (PARTITION BY begin) AS outcomes FROM cells
    ),
    classes AS
    (
        SELECT c.begin AS begin, c.came AS came, any(c.predictions) AS predictions, any(c.outcomes) AS outcomes, sum(c.rows) AS n, sumMap(map(c.block, c.rows)) AS by_block,
               length(by_block) AS blocks, student(blocks - 1) AS t, groupArray((c.called, c.block, c.rows)) AS table, arrayDistinct(table.1) AS names
        FROM counted AS c
        WHERE c.came != ''
        GROUP BY begin, came
    ),
    shares AS
    (
        SELECT k.*, decided, arrayFilter(cell -> cell.1 = decided, table) AS mine, arraySum(mine.3) AS times, times / k.n AS share,
               mapFromArrays(mine.2, mine.3) AS mine_by_block,
               arraySum(at -> pow(mine_by_block[at] - share * by_block[at], 2), mapKeys(by_block)) * (k.blocks / (k.blocks - 1)) AS by_blocks,
               effect(by_blocks, k.n * share * (1 - share)) AS design_effect
        FROM classes AS k
        ARRAY JOIN names AS decided
    )
SELECT begin AS time, came, decided, share, n, said(wilson(share, n / s.design_effect, t, -1)) AS low, said(wilson(share, n / s.design_effect, t, 1)) AS high,
       times, predictions, outcomes / predictions AS maturity, blocks, if(blocks > 1, s.design_effect, NULL) AS design_effect
FROM shares AS s
ORDER BY time, came, decided
