-- name: diagnose/stores
-- title: How the feature views were read in a window and before it
-- grain: view, part
-- source: table predictions
-- value: rows, unavailable, stale, absent (not found or null), age_s (of records that were found)
-- panel: none
SELECT view, if(event_time >= {from:DateTime('UTC')} AND event_time < {to:DateTime('UTC')}, 'window', 'before') AS part, count() AS rows, countIf(status = 'unavailable') AS unavailable,
       countIf(status = 'stale') AS stale, countIf(status IN ('not_found', 'null')) AS absent, avgIf(feature_age_s[view], feature_age_s[view] >= 0) AS age_s
FROM predictions
ARRAY JOIN mapKeys(feature_status) AS view, mapValues(feature_status) AS status
WHERE service = {service:String} AND NOT golden
    AND (event_time >= {from:DateTime('UTC')} AND event_time < {to:DateTime('UTC')} OR event_time >= {base_from:DateTime('UTC')} AND event_time < {base_to:DateTime('UTC')})
GROUP BY view, part
ORDER BY view, part
