-- name: drift/exact
-- question: Has it moved, to the last digit?
-- title: Kolmogorov-Smirnov from the rows
-- source: Kolmogorov 1933, Smirnov 1948; ClickHouse kolmogorovSmirnovTest, asymptotic
-- tasks: all
-- time: time
-- subject: name
-- value: ks
-- unit: ks
-- n: n
-- p: p
-- minimum: 100
-- window: 1h
-- cadence: on demand
-- baseline: pair
-- panel: table
-- verdict: drift_one
-- filters: version variant tenant team
-- grain: predictions
--
-- Rows from base_from to base_to, of base_version and base_variant, against each window; for an audit, since it reads every row.
-- Values as the features of predictions have them, in Float32. An input without a value on either side has no row.
WITH samples AS
(
    SELECT toStartOfInterval(toDateTime(event_time, 'UTC'), toIntervalSecond({step:UInt32}), 'UTC') AS time, name, toFloat64(v) AS v, version, variant, event_time
    FROM predictions ARRAY JOIN mapKeys(features) AS name, mapValues(features) AS v
    WHERE service = {service:String} AND NOT golden AND NOT isNaN(v) AND NOT mapContains(texts, name) AND {subject:String} IN ('', name) AND {tenant:String} IN ('', tenant) AND {team:String} IN ('', team)
        AND event_time >= least({from:DateTime}, {base_from:DateTime}) AND event_time < greatest({to:DateTime}, {base_to:DateTime})
),
base AS
(
    SELECT name, groupArray(v) AS values
    FROM samples
    WHERE event_time >= {base_from:DateTime} AND event_time < {base_to:DateTime}
        AND {base_version:String} IN ('', version) AND {base_variant:String} IN ('', variant)
    GROUP BY name
),
live AS
(
    SELECT time, name, groupArray(v) AS values
    FROM samples
    WHERE event_time >= {from:DateTime} AND event_time < {to:DateTime} AND {version:String} IN ('', version) AND {variant:String} IN ('', variant)
    GROUP BY time, name
)
SELECT time, name, n, base_n, test.1 AS ks, test.2 AS p
FROM
(
    SELECT live.time AS time, live.name AS name, any(length(live.values)) AS n, any(length(base.values)) AS base_n,
           kolmogorovSmirnovTest('two-sided', 'asymp')(pair.1, pair.2) AS test
    FROM live INNER JOIN base ON live.name = base.name
    ARRAY JOIN arrayConcat(arrayMap(v -> (v, toUInt8(1)), live.values), arrayMap(v -> (v, toUInt8(0)), base.values)) AS pair
    GROUP BY time, name
)
ORDER BY time, name
