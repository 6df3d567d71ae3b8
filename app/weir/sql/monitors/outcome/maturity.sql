-- name: outcome/maturity
-- question: How long until it is known what came true?
-- title: Share of predictions whose outcome was known by an age
-- source: empirical distribution of delays, of predictions and not of outcomes, so that those that never get one count; interval by Wilson 1927 of rows over the design effect, by rows and by blocks (a 24th of the window, of a week or more a day) and Student's t (Cornish and Fisher 1938) over them
-- tasks: binary multiclass regression
-- time: time
-- subject: age
-- value: known
-- unit: share
-- n: n
-- low: low
-- high: high
-- minimum: 30
-- panel: lines
-- verdict: maturity
-- series: known as known
-- window: 1d
-- filters: version variant tenant team
-- grain: predictions outcomes
-- usual: falls
-- runbook: outcome
-- Held to its own last 28 windows, since no bound of another service fits: it warns where it is worse than their prediction
-- interval makes likely (Student's t, see monitor/usual.py), and pages nobody.
-- Intervals are at 95 %. They allow for rows of one block that go together, and not for what lasts longer than a block: where
-- days go together, ask for windows of weeks. design_effect: what the blocks say of the variance over what rows would, 1 or more.
-- An outcome is known when it was received; of requests that were scored a day after their own time or later, so of a past that is
-- replayed, when it came true.
-- An age has a row once the newest prediction of the service is that much younger than the window's end. delay_p50_s and so on: of
-- the outcomes that came at all, by any age.
WITH
    degrees -> 1.959964 + 2.372271 / degrees + 2.822499 / pow(degrees, 2) + 2.55585 / pow(degrees, 3) AS student,
    (of_blocks, of_rows) -> if(of_rows > 0, greatest(1, of_blocks / of_rows), 1) AS effect,
    x -> if(isFinite(x), x, NULL) AS said,
    (share, m, t, side) -> (share + t * t / m / 2 + side * t * sqrt(share * (1 - share) / m + pow(t / m / 2, 2))) / (1 + t * t / m) AS wilson,
    (SELECT max(newest) FROM outcome_changes WHERE service = {service:String} AND hour >= toStartOfHour({from:DateTime})) AS newest,
    [3600, 10800, 21600, 43200, 86400, 172800, 259200, 604800, 1209600, 2592000, 5184000, 7776000] AS ages_s,
    ['1h', '3h', '6h', '12h', '1d', '2d', '3d', '7d', '14d', '30d', '60d', '90d'] AS ages,
    if({step:UInt32} >= 604800, 86400, greatest(intDiv({step:UInt32}, 24), 1)) AS block_s,
    told AS
    (
        SELECT toStartOfInterval(event_time, toIntervalSecond({step:UInt32}), 'UTC') AS begin,
               intDiv(toUnixTimestamp(event_time) - toUnixTimestamp(begin), block_s) AS block,
               n, known, by_age, delays
        FROM <outcome_rows: cells = outcome_delays; kept = c.n AS n, known, by_age, delays; said = toStartOfInterval(toDateTime(r.event_time, 'UTC'), toIntervalSecond({step:UInt32}), 'UTC') AS first, if(less(scored_at - r.event_time, 86400), received_at, occurred_at) AS known_at, if(has_outcome, toFloat64(greatest(dateDiff('second', r.event_time, known_at), 0)), inf) AS delay_s; joined = count() AS n, countIf(has_outcome) AS known, sumForEach(arrayMap(age -> toUInt64(lessOrEquals(delay_s, age)), ages_s)) AS by_age, quantilesTDigestStateIf(0.5, 0.9, 0.99)(delay_s, has_outcome) AS delays; at = toDateTime(toUnixTimestamp(first) + intDiv(toUnixTimestamp(r.event_time) - toUnixTimestamp(first), block_s) * block_s, 'UTC'); more = GROUP BY event_time>
    ),
    blocks AS
    (
        SELECT r.begin AS begin, r.block AS block, sum(r.n) AS rows, sum(r.known) AS known, sumForEach(r.by_age) AS by_age, quantilesTDigestMergeState(0.5, 0.9, 0.99)(r.delays) AS delays
        FROM told AS r
        GROUP BY begin, block
    ),
    -- Of each window, its blocks as arrays; the delays are merged once, and not for each age.
    whole AS
    (
        SELECT b.begin AS begin, groupArray(b.rows) AS ns, groupArray(b.by_age) AS tops, sum(b.rows) AS predictions, sum(b.known) AS outcomes, quantilesTDigestMerge(0.5, 0.9, 0.99)(b.delays) AS delays
        FROM blocks AS b
        GROUP BY begin
    ),
    windows AS
    (
        SELECT begin, figure, predictions, outcomes, age_s, delays, toFloat64(predictions) AS all_n, length(ns) AS blocks, student(blocks - 1) AS t,
               arrayMap(top -> toFloat64(top[place]), tops) AS top, arraySum(top) / all_n AS share,
               arraySum(top) - 2 * share * arraySum(top) + pow(share, 2) * all_n AS by_rows,
               arraySum((v, m) -> pow(v - share * m, 2), top, ns) * (blocks / (blocks - 1)) AS by_blocks,
               effect(by_blocks, by_rows) AS design_effect
        FROM whole
        ARRAY JOIN ages AS figure, ages_s AS age_s, arrayEnumerate(ages) AS place
        WHERE newest >= begin + {step:UInt32} + age_s
    )
SELECT begin AS time, figure AS age, said(w.share) AS known, toUInt64(all_n) AS n, said(wilson(w.share, all_n / w.design_effect, t, -1)) AS low,
       said(wilson(w.share, all_n / w.design_effect, t, 1)) AS high, w.age_s AS age_s, predictions, outcomes, blocks, if(blocks > 1, w.design_effect, NULL) AS design_effect,
       said(toFloat64(delays[1])) AS delay_p50_s, said(toFloat64(delays[2])) AS delay_p90_s, said(toFloat64(delays[3])) AS delay_p99_s
FROM windows AS w
ORDER BY time, w.age_s
