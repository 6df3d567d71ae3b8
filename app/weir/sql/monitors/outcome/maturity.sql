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
    (SELECT max(event_time) FROM predictions WHERE service = {service:String} AND event_time >= {from:DateTime} AND NOT golden) AS newest,
    if({step:UInt32} >= 604800, 86400, greatest(intDiv({step:UInt32}, 24), 1)) AS block_s,
    told AS
    (
        SELECT toStartOfInterval(event_time, toIntervalSecond({step:UInt32}), 'UTC') AS begin,
               intDiv(toUnixTimestamp(event_time) - toUnixTimestamp(begin), block_s) AS block,
               has_outcome, event_time, if(scored_at - event_time < 86400, received_at, occurred_at) AS known_at,
               if(has_outcome, toFloat64(greatest(dateDiff('second', event_time, known_at), 0)), inf) AS delay_s
        FROM {results:Identifier}
        WHERE service = {service:String} AND event_time >= {from:DateTime} AND event_time < {to:DateTime}
          AND {version:String} IN ('', version) AND {variant:String} IN ('', variant)
          AND {tenant:String} IN ('', tenant) AND {team:String} IN ('', team)
    ),
    blocks AS
    (
        SELECT r.begin AS begin, r.block AS block, each.1 AS figure, any(each.2) AS age_s, count() AS rows, countIf(r.has_outcome) AS known,
               toFloat64(countIf(r.delay_s <= each.2)) AS top, toFloat64(count()) AS bottom, top AS top2, top AS both, bottom AS bottom2,
               quantilesTDigestStateIf(0.5, 0.9, 0.99)(r.delay_s, r.has_outcome) AS delays
        FROM told AS r
        ARRAY JOIN [('1h', 3600), ('3h', 10800), ('6h', 21600), ('12h', 43200), ('1d', 86400), ('2d', 172800), ('3d', 259200), ('7d', 604800),
                    ('14d', 1209600), ('30d', 2592000), ('60d', 5184000), ('90d', 7776000)] AS each
        WHERE newest >= r.begin + {step:UInt32} + each.2
        GROUP BY begin, block, figure
    ),
    windows AS
    (
        SELECT b.begin AS begin, figure, sum(b.rows) AS predictions, sum(b.known) AS outcomes, any(b.age_s) AS age_s, quantilesTDigestMerge(0.5, 0.9, 0.99)(b.delays) AS delays, sum(b.bottom) AS all_n, sum(b.top) / all_n AS share,
               countIf(b.bottom > 0) AS blocks, student(blocks - 1) AS t,
               sum(b.top2) - 2 * share * sum(b.both) + pow(share, 2) * sum(b.bottom2) AS by_rows,
               arraySum((v, m) -> pow(v - share * m, 2), groupArray(b.top), groupArray(b.bottom)) * (blocks / (blocks - 1)) AS by_blocks,
               effect(by_blocks, by_rows) AS design_effect
        FROM blocks AS b
        GROUP BY begin, figure
    )
SELECT begin AS time, figure AS age, said(w.share) AS known, toUInt64(all_n) AS n, said(wilson(w.share, all_n / w.design_effect, t, -1)) AS low,
       said(wilson(w.share, all_n / w.design_effect, t, 1)) AS high, w.age_s AS age_s, predictions, outcomes, blocks, if(blocks > 1, w.design_effect, NULL) AS design_effect,
       said(toFloat64(delays[1])) AS delay_p50_s, said(toFloat64(delays[2])) AS delay_p90_s, said(toFloat64(delays[3])) AS delay_p99_s
FROM windows AS w
ORDER BY time, w.age_s
