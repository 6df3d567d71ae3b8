-- name: ledger/totals
-- question: How much was read, scored and rejected?
-- title: Records by what became of them
-- source: table ledger: entries of scorers by the time at which they were written; a replay repeats some
-- tasks: all
-- time: begin
-- value: unbalanced
-- unit: count
-- n: n
-- page: > 0
-- window: 1h
-- panel: tiles
-- verdict: ledger_totals
-- grain: ledger
-- runbook: ledger
--
-- unbalanced: records read that an entry counts neither as scored nor as rejected.
SELECT toStartOfInterval(toDateTime(written_at, 'UTC'), toIntervalSecond({step:UInt32})) AS begin, toUInt64(sum(read)) AS n, sum(ledger.scored) AS scored,
       sum(ledger.rejected) AS rejected, count() AS entries, sum(abs(read - ledger.scored - ledger.rejected)) AS unbalanced
FROM ledger
WHERE service = {service:String} AND written_at >= {from:DateTime} AND written_at < {to:DateTime} AND role = 'scorer'
GROUP BY begin
ORDER BY begin
