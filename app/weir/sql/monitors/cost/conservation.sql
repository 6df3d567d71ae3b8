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
    metered AS
    (
        SELECT begin, component, sum(used) AS used, sum(records) AS records, if(max(unpriced), NULL, sum(amount)) AS amount
        FROM cost_metered(service = {service:String}, since = {from:DateTime64(3, 'UTC')}, until = {to:DateTime64(3, 'UTC')}, step = {step:UInt32})
        GROUP BY begin, component
    ),
    borne AS
    (
        SELECT begin, component, max(unpriced) AS unpriced, sum(used) AS whole, sumIf(used, kind = 'unrecorded') AS nobodys,
               ifNull(sumIf(amount, kind = 'answers'), 0) AS answers, ifNull(sumIf(amount, kind = 'rejected'), 0) AS rejected,
               ifNull(sumIf(amount, kind = 'unrecorded'), 0) AS unrecorded, ifNull(sumIf(amount, kind = 'idle'), 0) AS idle
        FROM cost_lines(service = {service:String}, since = {from:DateTime64(3, 'UTC')}, until = {to:DateTime64(3, 'UTC')}, step = {step:UInt32})
        GROUP BY begin, component
    )
SELECT begin, component, toInt64(m.records) AS records, toFloat64(abs(m.used - b.whole) + b.nobodys) / toFloat64(m.used) AS unexplained,
       toFloat64(m.used) / if(component IN ('cpu', 'gpu', 'idle'), 1e12, 1e6) AS used, toFloat64(m.amount) AS metered, if(unpriced, NULL, toFloat64(answers)) AS allocated,
       if(unpriced, NULL, toFloat64(b.rejected)) AS rejected, if(unpriced, NULL, toFloat64(b.unrecorded)) AS unrecorded,
       if(unpriced, NULL, toFloat64(b.idle)) AS idle, (SELECT any(currency) FROM prices) AS currency
FROM metered AS m
LEFT JOIN borne AS b USING (begin, component)
WHERE m.used != 0
ORDER BY begin, component
