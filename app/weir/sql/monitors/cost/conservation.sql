-- name: cost/conservation
-- question: What did it cost, and where did it go?
-- title: Metered against allocated and idle, by component
-- source: app/weir/sql/migrations/0013_costs.sql: each record of a batch bears its share; metered is summed over batches, whoever bears it
-- tasks: all
-- time: begin
-- subject: component
-- value: unexplained
-- unit: share
-- n: records
-- warn: > 0.001
-- page: > 0.01
-- window: 1h
-- panel: waterfall
-- verdict: conservation
-- grain: batches batch_answers predictions
-- runbook: cost
--
-- metered = allocated (to answers) + rejected (dead letters) + unrecorded (answers that the record lacks) + idle. unexplained:
-- what nobody known bears, or bears twice, as a share of what was metered, in units of the component: it needs no prices. The
-- amounts are in the price book's currency, used in seconds, keys or bytes; null where something has no price. A window is of the time of scoring.
WITH
    sumIf(l.used, kind = 'metered') AS counted,
    maxIf(l.unpriced, kind != 'metered') AS lacking,
    amount -> if(lacking, NULL, toFloat64(ifNull(amount, 0))) AS told
SELECT begin, component, toInt64(sumIf(l.n, kind = 'metered')) AS records,
       toFloat64(abs(counted - sumIf(l.used, kind != 'metered')) + sumIf(l.used, kind = 'unrecorded')) / toFloat64(counted) AS unexplained,
       toFloat64(counted) / if(component IN ('cpu', 'gpu', 'idle'), 1e12, 1e6) AS used,
       if(maxIf(l.unpriced, kind = 'metered'), NULL, toFloat64(sumIf(l.amount, kind = 'metered'))) AS metered,
       told(sumIf(l.amount, kind = 'answers')) AS allocated, told(sumIf(l.amount, kind = 'rejected')) AS rejected,
       told(sumIf(l.amount, kind = 'unrecorded')) AS unrecorded, told(sumIf(l.amount, kind = 'idle')) AS idle, (SELECT any(currency) FROM prices) AS currency
FROM <cost_lines: since = {from:DateTime64(3, 'UTC')}; until = {to:DateTime64(3, 'UTC')}; step = {step:UInt32}; also = UNION ALL SELECT toStartOfInterval(toDateTime(scored_at, 'UTC'), toIntervalSecond({step:UInt32})) AS begin, toDate32(scored_at) AS day, 'metered' AS kind, CAST(('', '', '', '', '', ''), 'Tuple(variant String, model String, version String, digest String, tenant String, team String)') AS who, toInt64(sum(rows)) AS n, arrayMap(quantity -> 1000000 * toInt128(quantity), [sum(cpu_us), sum(ifNull(gpu_us, 0)), sum(greatest(feature_lookups, feature_hits) - feature_hits), sum(bytes_in), sum(bytes_out), sum(bytes_out), sum(idle_us)]) AS quantities FROM batches WHERE service = {service:String} AND greaterOrEquals(scored_at, {from:DateTime64(3, 'UTC')}) AND less(scored_at, {to:DateTime64(3, 'UTC')}) GROUP BY begin, day> AS l
GROUP BY begin, component
HAVING counted != 0
ORDER BY begin, component
