-- name: overview/entries
-- title: What the scorers of every service have read, and what became of it
-- grain: service
-- source: table ledger: entries of scorers, by the time at which they were written; a replay repeats some
-- value: read, scored, rejected (records)
-- panel: none
SELECT service, toInt64(sum(entry.read)) AS read, toInt64(sum(entry.scored)) AS scored, toInt64(sum(entry.rejected)) AS rejected
FROM ledger AS entry
WHERE role = 'scorer' AND written_at >= {from:DateTime('UTC')} AND written_at < {to:DateTime('UTC')}
GROUP BY service
ORDER BY service
