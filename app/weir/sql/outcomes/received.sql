-- name: outcomes/received
-- title: Outcomes received, and how many have their prediction
-- grain: service
-- source: table outcomes FINAL: of each id, whichever it is, the outcome with the highest rank; withdrawn ones left out
-- value: waiting (outcomes without a prediction; passing when an outcome overtakes its prediction)
-- panel: table
SELECT service, toInt64(count()) AS received,
       toInt64(countIf(if(request_id = '', prediction_id IN (SELECT prediction_id FROM predictions),
                          (service, request_id) IN (SELECT service, request_id FROM predictions)))) AS joined,
       received - joined AS waiting
FROM outcomes FINAL
WHERE NOT withdrawn
GROUP BY service
ORDER BY service
