-- name: outcome/waiting
-- question: What is not known yet, and what will never be?
-- title: Predictions without an outcome, and outcomes that came early or late
-- source: counts; overdue: older than 999 of 1,000 of the window's outcomes were when they came, on the clock of the service's newest prediction
-- tasks: binary multiclass regression
-- time: time
-- subject: kind
-- value: predictions
-- unit: count
-- n: n
-- panel: lines
-- verdict: waiting
-- series: predictions as predictions
-- window: 1d
-- filters: version variant tenant team
-- grain: predictions outcomes
-- No bound: counts follow the traffic. outcome/maturity is held to how soon outcomes usually come.
-- An outcome is known when it was received; of requests that were scored a day after their own time or later, so of a past that is
-- replayed, when it came true.
-- early: known before the prediction was scored; late: after the window that follows its own had ended; withdrawn: had one that was
-- taken back; waiting: without one; overdue: those of them of which none is to be expected. n: predictions of the window.
WITH
    (SELECT max(event_time) FROM predictions WHERE service = {service:String} AND event_time >= {from:DateTime} AND NOT golden) AS newest,
    told AS
    (
        SELECT toStartOfInterval(event_time, toIntervalSecond({step:UInt32}), 'UTC') AS begin, has_outcome, isNotNull(revision) AND NOT has_outcome AND received_at > toDateTime(0, 'UTC') AS taken_back, event_time, scored_at, received_at,
               if(scored_at - event_time < 86400, received_at, occurred_at) AS known_at, toFloat64(dateDiff('second', event_time, known_at)) AS delay_s
        FROM {results:Identifier}
        WHERE service = {service:String} AND event_time >= {from:DateTime} AND event_time < {to:DateTime}
          AND {version:String} IN ('', version) AND {variant:String} IN ('', variant)
          AND {tenant:String} IN ('', tenant) AND {team:String} IN ('', team)
    ),
    windows AS
    (
        SELECT begin, count() AS n, countIf(has_outcome AND received_at < scored_at) AS early, countIf(has_outcome AND known_at >= begin + 2 * {step:UInt32}) AS late,
               countIf(taken_back) AS withdrawn, countIf(NOT has_outcome) AS waiting, countIf(has_outcome) AS known,
               quantileExactIf(0.999)(delay_s, has_outcome) AS longest_s,
               arrayCount(at -> toFloat64(dateDiff('second', at, newest)) > longest_s, groupArrayIf(event_time, NOT has_outcome AND NOT taken_back)) AS overdue
        FROM told
        GROUP BY begin
    )
SELECT begin AS time, each.1 AS kind, toUInt64(each.2) AS predictions, n, each.2 / n AS share, if(known > 0, longest_s, NULL) AS longest_delay_s
FROM windows
ARRAY JOIN [('early', early), ('late', late), ('withdrawn', withdrawn), ('waiting', waiting), ('overdue', if(known > 0, overdue, 0))] AS each
ORDER BY time, kind
