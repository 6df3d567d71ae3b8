-- name: outcome/coverage
-- question: Do its quantiles hold what they say?
-- title: Share of what was observed at or below each predicted quantile
-- source: coverage of quantile forecasts (Gneiting, Balabdaoui and Raftery 2007); interval by Wilson 1927 of rows over the design effect, by rows and by blocks (a 24th of the window, of a week or more a day) and Student's t (Cornish and Fisher 1938) over them
-- tasks: regression
-- time: time
-- subject: quantile
-- value: covered
-- unit: share
-- n: n
-- low: low
-- high: high
-- minimum: 100
-- panel: lines
-- verdict: performance
-- series: covered as covered, asked as asked base
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
-- Quantiles are outputs whose name is a number between 0 and 1, with a q before it or none: 0.9, q0.9. asked: that number.
-- maturity: share of predictions that have an outcome. A model without quantiles has no row.
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
               has_outcome, observed, arrayZip(arrayMap(name -> extract(toString(name), '^q?(0?[.][0-9]+)$'), mapKeys(outputs)), mapValues(outputs)) AS given
        FROM {results:Identifier}
        WHERE service = {service:String} AND event_time >= {from:DateTime} AND event_time < {to:DateTime}
          AND {version:String} IN ('', version) AND {variant:String} IN ('', variant)
          AND {tenant:String} IN ('', tenant) AND {team:String} IN ('', team)
    ),
    blocks AS
    (
        SELECT r.begin AS begin, r.block AS block, each.1 AS figure, count() AS rows, countIf(r.has_outcome) AS known,
               toFloat64(sumIf(ifNull(r.observed <= each.2, 0), isFinite(each.2))) AS top, toFloat64(countIf(isNotNull(r.observed) AND isFinite(each.2))) AS bottom,
               top AS top2, top AS both, bottom AS bottom2
        FROM told AS r
        ARRAY JOIN given AS each
        WHERE each.1 != ''
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
SELECT begin AS time, figure AS quantile, said(w.share) AS covered, toUInt64(all_n) AS n, said(wilson(w.share, all_n / w.design_effect, t, -1)) AS low,
       said(wilson(w.share, all_n / w.design_effect, t, 1)) AS high, toFloat64(quantile) AS asked, predictions, outcomes / predictions AS maturity, blocks,
       if(blocks > 1, w.design_effect, NULL) AS design_effect
FROM windows AS w
ORDER BY time, quantile
