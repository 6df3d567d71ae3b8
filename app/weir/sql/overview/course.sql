-- name: overview/course
-- title: What monitors have found of a service, window by window
-- grain: monitor, subject, step_s
-- source: table measurements: the greatest revision of each window that said something
-- value: begins (seconds since 1970, in order), and of each window its value, n, and total (details of the same name; 0 where there is none); details (JSON, of the newest window)
-- panel: none
SELECT monitor, subject, step_s, groupArray(toUnixTimestamp(f.at)) AS begins, groupArray(f.figure.1) AS values, groupArray(f.figure.2) AS n,
       groupArray(f.figure.3) AS totals, argMax(f.figure.5, f.at) AS details
FROM
(
    SELECT monitor, subject, step_s, m.begin AS at,
           argMax((ifNull(m.value, nan), m.n, JSONExtractFloat(m.details, 'total'), m.state, m.details), m.revision) AS figure
    FROM measurements AS m
    WHERE service = {service:String} AND monitor IN {monitors:Array(String)} AND segment = ''
      AND m.begin >= {from:DateTime64(3, 'UTC')} AND m.begin < {to:DateTime64(3, 'UTC')}
    GROUP BY monitor, subject, step_s, at
    HAVING figure.4 NOT IN ('few', 'immature', 'failed')
    ORDER BY monitor, subject, step_s, at
) AS f
GROUP BY monitor, subject, step_s
ORDER BY monitor, subject, step_s
