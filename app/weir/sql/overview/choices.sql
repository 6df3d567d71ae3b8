-- name: overview/choices
-- title: By what a service's predictions can be told apart, and whether there are any in a time
-- grain: service
-- source: table traffic_hour: predictions by hour of event time
-- value: versions, variants, tenants, teams (each that there was), predictions (in the time), newest (begin of the last hour with one)
-- panel: none
SELECT arraySort(groupUniqArray(toString(version))) AS versions, arraySort(groupUniqArray(toString(variant))) AS variants,
       arraySort(groupUniqArray(toString(tenant))) AS tenants, arraySort(groupUniqArray(toString(team))) AS teams,
       sumIf(t.n, t.window >= toStartOfHour({from:DateTime('UTC')}) AND t.window < {to:DateTime('UTC')}) AS predictions, max(t.window) AS newest
FROM traffic_hour AS t
WHERE service = {service:String}
GROUP BY service
