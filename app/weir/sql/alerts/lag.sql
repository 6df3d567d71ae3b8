-- name: alerts/lag
-- title: Stretches in which requests waited longer than the monitor of it allows
-- grain: since
-- source: table measurements: of each window of health/lag the greatest revision; a stretch is a run of windows beyond a bound
-- value: most_s (the oldest request when its batch was scored), paged (whether beyond the bound of a page)
-- panel: none
SELECT min(w.begin) AS since, max(w.ends) AS until, max(w.lag_s) AS most_s, max(w.paged) AS paged
FROM
(
    SELECT begin, ends, lag_s, paged, sum(apart) OVER (ORDER BY begin) AS stretch
    FROM
    (
        SELECT begin, ends, lag_s, paged, begin != lagInFrame(ends) OVER (ORDER BY begin ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS apart
        FROM
        (
            SELECT begin, any(m.end) AS ends, argMax(m.value, m.revision) AS lag_s, argMax(m.state, m.revision) AS how, how = 'page' AS paged
            FROM measurements AS m
            WHERE service = {service:String} AND monitor = 'health/lag' AND segment = ''
                AND begin >= {from:DateTime64(3, 'UTC')} AND begin < {to:DateTime64(3, 'UTC')}
            GROUP BY begin
        )
        WHERE how IN ('warn', 'page')
    )
) AS w
GROUP BY stretch
ORDER BY since
