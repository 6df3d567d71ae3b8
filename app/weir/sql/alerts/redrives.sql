-- name: alerts/redrives
-- title: Dead letters of a service that somebody sent again or gave up
-- grain: run (of one command)
-- source: table redrives
-- value: letters, given_up_for (why they were given up; empty where they were sent)
-- panel: none
SELECT min(announced_at) AS since, count() AS letters, r.given_up_for AS given_up_for,
       multiIf(any(r.given_up_by) != '', any(r.given_up_by), any(r.sent_by) != '', any(r.sent_by), any(r.worker)) AS by, any(r.repair) AS repair
FROM redrives AS r
WHERE service = {service:String} AND announced_at >= {from:DateTime64(3, 'UTC')} AND announced_at < {to:DateTime64(3, 'UTC')}
GROUP BY run, given_up_by != '' AS given_up, given_up_for
ORDER BY since, by
