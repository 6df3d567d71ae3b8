-- name: alerts/contracts
-- title: Which contract requests were written with, hour by hour
-- grain: begin (of the hour), contract
-- source: table predictions, by event time
-- value: n, since (event time of the first in that hour)
-- panel: none
SELECT toStartOfHour(event_time) AS begin, contract_id AS contract, count() AS n, min(event_time) AS since
FROM predictions
WHERE service = {service:String} AND NOT golden
    AND event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')}
GROUP BY begin, contract
ORDER BY begin, contract
