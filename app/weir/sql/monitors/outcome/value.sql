-- name: outcome/value
-- question: What did it earn?
-- title: Mean value of a prediction whose outcome is known, by the service's formula
-- source: view results_<service>, whose value is exact to nine decimals: so is their sum; variance of means by rows or by blocks (a 24th of the window, of a week or more a day) and Student's t (Cornish and Fisher 1938) over them
-- tasks: binary multiclass regression
-- time: time
-- subject: version variant
-- value: mean_value
-- unit: money
-- n: n
-- low: low
-- high: high
-- minimum: 30
-- panel: lines
-- verdict: performance
-- series: mean_value as a prediction
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
-- total: the nearest double of the exact sum of all values, of which a_prediction is the share of each prediction, with an outcome or without.
-- maturity: share of predictions that have an outcome. unvalued: outcomes of which the formula gives no number.
-- currency: of the price book.
WITH
    degrees -> 1.959964 + 2.372271 / degrees + 2.822499 / pow(degrees, 2) + 2.55585 / pow(degrees, 3) AS student,
    (of_blocks, of_rows) -> if(of_rows > 0, greatest(1, of_blocks / of_rows), 1) AS effect,
    x -> if(isFinite(x), x, NULL) AS said,
    if({step:UInt32} >= 604800, 86400, greatest(intDiv({step:UInt32}, 24), 1)) AS block_s,
    told AS
    (
        SELECT toStartOfInterval(event_time, toIntervalSecond({step:UInt32}), 'UTC') AS begin,
               intDiv(toUnixTimestamp(event_time) - toUnixTimestamp(begin), block_s) AS block,
               version, variant, has_outcome, value AS worth
        FROM {results:Identifier}
        WHERE service = {service:String} AND event_time >= {from:DateTime} AND event_time < {to:DateTime}
          AND {version:String} IN ('', version) AND {variant:String} IN ('', variant)
          AND {tenant:String} IN ('', tenant) AND {team:String} IN ('', team)
    ),
    blocks AS
    (
        SELECT r.begin AS begin, r.version AS version, r.variant AS variant, r.block AS block, count() AS rows, countIf(r.has_outcome) AS known,
               countIf(r.has_outcome AND isNull(r.worth)) AS unvalued, countIf(isNotNull(r.worth)) AS n,
               ifNull(sum(r.worth), 0) AS exact, toFloat64(exact) AS top, ifNull(sum(pow(toFloat64(r.worth), 2)), 0) AS top2
        FROM told AS r
        GROUP BY begin, version, variant, block
    ),
    windows AS
    (
        SELECT b.begin AS begin, version, variant, sum(b.rows) AS predictions, sum(b.known) AS outcomes, sum(b.n) AS n, sum(b.top) / n AS mean, sum(b.exact) AS total, sum(b.unvalued) AS unvalued,
               countIf(b.n > 0) AS blocks, student(blocks - 1) AS t, greatest(sum(b.top2) - n * pow(mean, 2), 0) AS by_rows,
               arraySum((v, m) -> pow(v - mean * m, 2), groupArray(b.top), groupArray(b.n)) * (blocks / (blocks - 1)) AS by_blocks,
               t * sqrt(greatest(by_rows, by_blocks)) / n AS half
        FROM blocks AS b
        GROUP BY begin, version, variant
    )
SELECT begin AS time, version, variant, said(toFloat64(total) / n) AS mean_value, n, said(mean - half) AS low, said(mean + half) AS high,
       toFloat64(w.total) AS total, toFloat64(total) / predictions AS a_prediction, predictions, outcomes / predictions AS maturity, unvalued, blocks,
       if(blocks > 1, effect(by_blocks, by_rows), NULL) AS design_effect, (SELECT any(currency) FROM prices) AS currency
FROM windows AS w
ORDER BY time, version, variant
