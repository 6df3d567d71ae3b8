-- name: overview/figures
-- title: The newest figure of each subject that monitors have found
-- grain: service, monitor, subject
-- source: table measurements: the greatest revision of each window that said something
-- value: value, low, high, n, state, begin and end (of its window), currency (that of its details, or the price book's), total (details of the same name, summed over windows that begin at `since` or later; null where there is none)
-- panel: none
-- Of drift, of which there are figures of every input and hour, only what began at `recent` or later.
SELECT service, monitor, subject, max(f.begin_ms) AS newest_ms, argMax(f.figure, f.begin_ms) AS newest, newest.1 AS value, newest.2 AS low, newest.3 AS high, newest.4 AS n, newest.5 AS state,
       newest.6 AS end_ms, if(newest.7 != '', newest.7, (SELECT any(currency) FROM prices)) AS currency, sumOrNullIf(f.figure.8, f.begin_ms >= toUnixTimestamp64Milli({since:DateTime64(3, 'UTC')})) AS total
FROM
(
    SELECT service, monitor, subject, toUnixTimestamp64Milli(m.begin) AS begin_ms,
           argMax((m.value, m.low, m.high, m.n, m.state, toUnixTimestamp64Milli(m.end), JSONExtractString(m.details, 'currency'), JSONExtractFloat(m.details, 'total')), m.revision) AS figure
    FROM measurements AS m
    WHERE m.segment = '' AND m.begin >= if(startsWith(m.monitor, 'drift/'), {recent:DateTime64(3, 'UTC')}, {from:DateTime64(3, 'UTC')}) AND m.begin < {to:DateTime64(3, 'UTC')} AND has({monitors:Array(String)}, m.monitor)
    GROUP BY service, monitor, subject, begin_ms
    HAVING figure.5 NOT IN ('few', 'immature', 'failed')
) AS f
GROUP BY service, monitor, subject
ORDER BY service, monitor, subject
