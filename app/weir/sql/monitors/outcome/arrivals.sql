-- name: outcome/arrivals
-- question: Do outcomes come once, and for predictions that there are?
-- title: Outcomes by what is odd about them
-- source: table outcome_deliveries, which counts every delivery of an outcome whichever of them wins
-- tasks: binary multiclass regression
-- time: time
-- subject: kind
-- value: outcomes
-- unit: count
-- n: n
-- panel: lines
-- verdict: arrivals
-- series: outcomes as outcomes
-- window: 1d
-- grain: outcome_deliveries predictions
-- No bound: counts follow the traffic, and what is odd about an outcome is for its sender to mend. outcome/maturity is held to how
-- soon outcomes usually come.
-- By the time at which an outcome was first received. repeated: came again as it was; corrected: came again with another revision or
-- time; conflicting: said two things at one revision and time, of which one was taken; withdrawn: taken back at some time;
-- unmatched: of no prediction that was scored from 35 days before the window on. n: outcomes of the window, deliveries: how often they came.
--
-- Both tables are sorted by the hour of the prediction, which its id tells: only hours of which outcomes came are read.
WITH
    toUUID('00000000-0000-0000-0000-000000000000') AS none,
    hours AS
    (
        SELECT DISTINCT toStartOfHour(UUIDv7ToDateTime(prediction_id)) AS hour, prediction_id = none AS unknown FROM outcome_deliveries
        WHERE service = {service:String} AND first_received_at >= {from:DateTime} AND first_received_at < {to:DateTime}
    ),
    came AS
    (
        SELECT * FROM outcome_deliveries FINAL
        WHERE service = {service:String} AND toStartOfHour(UUIDv7ToDateTime(prediction_id)) IN (SELECT hour FROM hours)
            AND first_received_at >= {from:DateTime} AND first_received_at < {to:DateTime}
    ),
    scored AS
    (
        SELECT prediction_id FROM predictions
        WHERE service = {service:String} AND scored_at >= {from:DateTime} - 35 * 86400
            AND toStartOfHour(event_time) IN (SELECT hour FROM hours WHERE NOT unknown) AND prediction_id IN (SELECT prediction_id FROM came)
    ),
    requested AS      -- a constant comes first: mostly no outcome names its request, and predictions are not read
    (
        SELECT request_id FROM predictions
        WHERE (SELECT max(unknown) FROM hours) AND service = {service:String} AND scored_at >= {from:DateTime} - 35 * 86400
            AND request_id IN (SELECT request_id FROM came WHERE prediction_id = none)
    ),
    windows AS
    (
        SELECT toStartOfInterval(first_received_at, toIntervalSecond({step:UInt32}), 'UTC') AS begin, count() AS n, sum(c.deliveries) AS all_times,
               countIf(c.deliveries > length(versions)) AS repeated, countIf(length(moments) > 1) AS corrected, countIf(length(versions) > length(moments)) AS conflicting,
               countIf(withdrawals > 0) AS withdrawn, countIf(if(prediction_id = none, request_id NOT IN (SELECT request_id FROM requested), prediction_id NOT IN (SELECT prediction_id FROM scored))) AS unmatched
        FROM came AS c
        GROUP BY begin
    )
SELECT begin AS time, each.1 AS kind, toUInt64(each.2) AS outcomes, n, each.2 / n AS share, all_times AS deliveries
FROM windows
ARRAY JOIN [('repeated', repeated), ('corrected', corrected), ('conflicting', conflicting), ('withdrawn', withdrawn), ('unmatched', unmatched)] AS each
ORDER BY time, kind
