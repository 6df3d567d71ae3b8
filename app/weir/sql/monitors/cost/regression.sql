-- name: cost/regression
-- question: Has a prediction become dearer?
-- title: Rise of the cost per prediction
-- source: view cost_shares at the prices of the window's day; logarithms of the days before (prediction interval of one more day) and of the window's 24 parts (ratio estimator), Student's t by Wallace 1959
-- tasks: all
-- time: begin
-- subject: version variant
-- value: rise
-- unit: share
-- n: predictions
-- low: low
-- high: high
-- p: p
-- warn: > 0.1
-- page: > 0.5
-- minimum: 100
-- window: 1d
-- panel: lines
-- verdict: cost_regression
-- series: rise as rise
-- filters: version variant
-- grain: batches batch_answers predictions
-- runbook: cost
--
-- rise: of what an answer of this version bears over what one of the whole service bore on the 28 days before, at the same
-- prices, so that a new price is no rise. p: of no rise. Nothing is said with fewer than three days before, or where fewer
-- than three of the window's 24 parts have answers. dearest: the component that has risen most.
WITH
    ['cpu', 'gpu', 'features', 'kafka_in', 'kafka_out', 'clickhouse', 'idle'] AS components,
    degrees -> 1.959964 + 2.372271 / degrees + 2.822499 / pow(degrees, 2) + 2.55585 / pow(degrees, 3) AS student,
    (t, degrees) -> erfc(sign(t) * (8 * degrees + 1) / (8 * degrees + 3) * sqrt(degrees * log1p(t * t / degrees) / 2)) / 2 AS tail,
    (SELECT groupArray((component, begins, ends, attos)) FROM prices) AS book,
    greatest(intDiv({step:UInt32}, 24), 1) AS block_s
SELECT begin, version, variant, predictions, if(said, exp(difference) - 1, NULL) AS rise,
       if(said, exp(difference - student(degrees) * error) - 1, NULL) AS low, if(said, exp(difference + student(degrees) * error) - 1, NULL) AS high,
       if(said, tail(difference / error, degrees), NULL) AS p, if(priced, per_million, NULL) AS per_million, if(said, exp(middle), NULL) AS base_per_million,
       if(said AND arrayMax(risen) > 0, components[indexOf(risen, arrayMax(risen))], '') AS dearest, base_days, (SELECT any(currency) FROM prices) AS currency
FROM
(
    SELECT *, priced AND base_days >= 3 AND length(blocks) >= 3 AND per_million > 0 AS said, least(base_days, length(blocks)) - 1 AS degrees,
           log(per_million) - middle AS difference,
           greatest(sqrt(spread * (1 + 1 / base_days) + within), 1e-6) AS error,
           arrayMap((now, before) -> now - before, arrayMap((x, price) -> x * price / predictions, whole, price), arrayMap((x, price) -> x * price, base_used, price)) AS risen
    FROM
    (
        SELECT *, arrayAvg(logs) AS middle, arraySum(x -> pow(x - middle, 2), logs) / (base_days - 1) AS spread,
               length(blocks) / (length(blocks) - 1) * arraySum(one -> pow(arraySum((x, price) -> x * price, one.2, price) / predictions - per_million * one.1 / predictions, 2), blocks) / pow(per_million, 2) AS within
        FROM
        (
            SELECT *, arraySum((x, price) -> x * price, whole, price) / predictions AS per_million,
                   NOT arrayExists((x, y, entry) -> (x != 0 OR y != 0) AND empty(entry), whole, base_used, entries) AS priced,
                   arrayFilter(x -> isFinite(x), arrayMap(one -> log(arraySum((x, price) -> x * price, one.3, price) / one.2), base)) AS logs, length(logs) AS base_days
            FROM
            (
                SELECT begin, version, variant, predictions, blocks, arrayReduce('sumForEach', blocks.2) AS whole,
                       arrayFilter(one -> one.1 >= toDate32(begin) - 28 AND one.1 < toDate32(begin), spent) AS base,
                       arrayMap(place -> arrayAvg(arrayMap(one -> one.3[place] / one.2, base)), range(1, 8)) AS base_used,
                       arrayMap(component -> arrayFilter(entry -> entry.1 = component AND toDate32(begin) >= entry.2 AND toDate32(begin) < entry.3, book), components) AS entries,
                       arrayMap(entry -> if(empty(entry), 0, toFloat64(entry[1].4) / 1e18), entries) AS price      -- of a million predictions, from millionths
                FROM
                (
                    -- One row: the days before, and the windows with their parts. Both are of the same lines, which are read once.
                    SELECT groupArrayIf((day, predictions, blocks[1].2), of_day) AS spent,
                           groupArrayIf((begin, version, variant, predictions, blocks), NOT of_day) AS windows
                    FROM
                    (
                        SELECT of_day, day, begin, version, variant, sum(b.n) AS predictions, groupArray((b.n, b.used)) AS blocks
                        FROM
                        (
                            SELECT grain.1 AS of_day, grain.2 AS day, grain.3 AS begin, grain.4 AS block, grain.5 AS version, grain.6 AS variant,
                                   toInt64(sum(s.n)) AS n, arrayMap(x -> toFloat64(x), sumForEach(s.used)) AS used
                            FROM
                            (
                                SELECT n, used, toDateTime(scored_at, 'UTC') AS at, toStartOfInterval(at, toIntervalSecond({step:UInt32})) AS window,
                                       arrayFilter(one -> one.1 OR window >= {from:DateTime64(3, 'UTC')}, [
                                           (true, toDate32(at), toDateTime(0, 'UTC'), toInt64(0), '', ''),
                                           (false, toDate32('1970-01-01'), window, toInt64(intDiv(toUnixTimestamp(at) - toUnixTimestamp(window), block_s)), toString(version), toString(variant))]) AS grains
                                FROM cost_shares(service = {service:String}, since = toDateTime64({from:DateTime64(3, 'UTC')}, 3, 'UTC') - INTERVAL 28 DAY, until = {to:DateTime64(3, 'UTC')})
                                WHERE kind = 'answers'
                            ) AS s
                            ARRAY JOIN grains AS grain
                            GROUP BY of_day, day, begin, block, version, variant
                        ) AS b
                        GROUP BY of_day, day, begin, version, variant
                    )
                )
                ARRAY JOIN windows.1 AS begin, windows.2 AS version, windows.3 AS variant, windows.4 AS predictions, windows.5 AS blocks
                WHERE {version:String} IN ('', version) AND {variant:String} IN ('', variant)
            )
        )
    )
)
ORDER BY begin, rise DESC, version, variant
