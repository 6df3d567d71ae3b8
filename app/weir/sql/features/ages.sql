-- name: features/ages
-- title: Age of features at the request, by view
-- grain: service, model, version, view
-- source: feature_age_s = event_time minus the time of the feature record, seconds
-- value: from_the_future (rows whose feature was recorded after the request; more than 0 is leakage)
-- page: 1
-- panel: table
SELECT service, model, version, view, count() AS rows,
       countIf(status = 'present') AS present, countIf(status = 'null') AS nulls, countIf(status = 'stale') AS stale,
       countIf(status = 'not_found') AS not_found, countIf(status = 'unavailable') AS unavailable,
       countIf(status NOT IN ('not_found', 'unavailable') AND age_s < 0) AS from_the_future,
       minIf(age_s, status NOT IN ('not_found', 'unavailable')) AS youngest_s,
       maxIf(age_s, status NOT IN ('not_found', 'unavailable')) AS oldest_s
FROM predictions
ARRAY JOIN mapKeys(feature_status) AS view, mapValues(feature_status) AS status, mapValues(feature_age_s) AS age_s
WHERE {service:String} IN ('', service) AND NOT golden
    AND event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')}
GROUP BY service, model, version, view
ORDER BY service, model, version, view
