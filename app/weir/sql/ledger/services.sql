-- name: ledger/services
-- title: Services of which something is recorded
-- grain: service
-- source: the tables ledger and dead_letters; a service is in one of them as soon as a scorer has read anything
-- value: entries of the ledger, dead letters
-- panel: none
SELECT service, sum(entry) AS entries, count() - entries AS letters
FROM
(
    SELECT service, 1 AS entry FROM ledger
    UNION ALL
    SELECT service, 0 AS entry FROM dead_letters
)
WHERE service != ''
GROUP BY service
ORDER BY service
