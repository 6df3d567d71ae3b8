-- name: outcomes/received
-- title: Outcomes received, and how many have their prediction
-- grain: all
-- source: outcomes_latest: of repeated and corrected outcomes the one that came true last
-- value: orphans (outcomes without a prediction; passing when an outcome overtakes its prediction)
-- panel: table
SELECT count() AS received, countIf(prediction_id IN (SELECT prediction_id FROM predictions)) AS joined, received - joined AS orphans
FROM outcomes_latest
