-- name: alerts/ranking
-- title: Which parts of services cost the most incident-minutes
-- grain: service, component (folder of the monitors: drift, outcome, health, ledger, cost, slo; of the project's own without one, "own")
-- source: table alerts: an incident is a time in which an alert of the component fires, without a gap, clipped to the time asked about; table measurements: burn rates of objectives (slo/<objective>/<rule>), each times the length of its window
-- value: minutes (in which something fired, each once however many alerts did), burned (objective -> seconds of its budget that went meanwhile, at a rate of 1 a second each; that of incidents at a time is counted for each)
-- panel: none
SELECT e.service AS of_service, e.component AS component, count() AS incidents, sum(e.ms) / 60000 AS minutes, max(e.ms) / 60000 AS longest,
       countIf(e.paged) AS paged, length(groupUniqArrayArray(e.ids)) AS alerts, max(e.until) AS latest, arraySort(groupUniqArrayArray(e.monitors)) AS monitors,
       sumMap(e.burned) AS burned
FROM
(
    SELECT service, component, incident, any(toUnixTimestamp64Milli(i.until) - toUnixTimestamp64Milli(i.since)) AS ms, any(i.until) AS until, any(i.paged) AS paged,
           any(i.ids) AS ids, any(i.monitors) AS monitors, sumMap(map(b.objective, b.seconds)) AS burned
    FROM
    (
        SELECT service, component, incident, min(begin) AS since, max(end) AS until, max(severity = 'page') AS paged,
               groupUniqArray(alert_id) AS ids, groupUniqArray(toString(monitor)) AS monitors
        FROM
        (
            SELECT *, sum(apart) OVER (PARTITION BY service, component ORDER BY begin, end, alert_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS incident
            FROM
            (
                SELECT *, begin > max(end) OVER (PARTITION BY service, component ORDER BY begin, end, alert_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS apart
                FROM
                (
                    SELECT service, if(position(monitor, '/') = 0, 'own', splitByChar('/', toString(monitor))[1]) AS component, monitor, alert_id, severity,
                           greatest(at, {from:DateTime64(3, 'UTC')}) AS begin, least(leadInFrame(at, 1, {to:DateTime64(3, 'UTC')}) OVER following, {to:DateTime64(3, 'UTC')}) AS end,
                           to_state
                    FROM alerts FINAL
                    WHERE {service:String} IN ('', service) AND to_state IN ('ok', 'pending', 'firing', 'resolved')
                    WINDOW following AS (PARTITION BY key ORDER BY number ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING)
                )
                WHERE to_state = 'firing' AND begin < end
            )
        )
        GROUP BY service, component, incident
    ) AS i
    LEFT JOIN
    (
        SELECT service, splitByChar('/', toString(monitor))[2] AS objective, begin, argMax(JSONExtractFloat(m.details, 'short'), m.revision) * step_s AS seconds
        FROM measurements AS m
        WHERE {service:String} IN ('', service) AND startsWith(monitor, 'slo/') AND endsWith(monitor, concat('/', {rule:String})) AND segment = ''
            AND begin >= {from:DateTime64(3, 'UTC')} AND begin < {to:DateTime64(3, 'UTC')}
        GROUP BY service, monitor, step_s, begin
    ) AS b ON b.service = i.service AND b.begin >= i.since AND b.begin < i.until
    GROUP BY service, component, incident
) AS e
GROUP BY of_service, component
ORDER BY minutes DESC, of_service, component
LIMIT {limit:UInt32}
