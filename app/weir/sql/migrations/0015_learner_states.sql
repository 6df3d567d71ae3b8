-- Which state of a learner scored a row: of bundles whose model goes on learning.
ALTER TABLE predictions
    ADD COLUMN IF NOT EXISTS learner_state LowCardinality(String) COMMENT 'first 12 hex characters of a hash of the learner''s state that scored it, where the bundle is a learner''s; else empty' AFTER batch_id
;
ALTER TABLE shadows
    ADD COLUMN IF NOT EXISTS learner_state LowCardinality(String) COMMENT 'of the learner that scored it, as in predictions' AFTER outputs
;
-- A view has the columns that its tables had when it was made: both are made anew, as they were.
CREATE OR REPLACE VIEW results AS
WITH
    toUUID('00000000-0000-0000-0000-000000000000') AS none, toDateTime64(0, 3, 'UTC') AS epoch,
    (SELECT (max(prediction_id) != none, count() > 0 AND min(prediction_id) = none) FROM outcomes) AS came,
    came.1 AS by_prediction, came.2 AS by_request,
    by_request AND (NOT by_prediction OR r.rank > o.rank) AS later
SELECT p.*, if(later, r.there AND NOT r.withdrawn, o.there AND NOT o.withdrawn) AS has_outcome,
       if(later, r.label, o.label) AS label, if(later, r.observed, o.observed) AS observed,
       if(later, r.attributes, o.attributes) AS attributes, if(later, r.revision, o.revision) AS revision,
       if(later, r.occurred_at, o.occurred_at) AS occurred_at, if(later, r.received_at, o.received_at) AS received_at
FROM predictions AS p
LEFT JOIN
(
    SELECT prediction_id AS whose, UUIDv7ToDateTime(prediction_id, 'UTC') AS whose_time, label, observed, attributes, revision, withdrawn, occurred_at, received_at, rank, true AS there
    FROM outcomes FINAL WHERE prediction_id != none
) AS o ON if(by_prediction, p.prediction_id, none) = o.whose AND if(by_prediction, p.event_time, epoch) = o.whose_time
LEFT JOIN
(
    SELECT service AS whose_service, request_id AS whose, label, observed, attributes, revision, withdrawn, occurred_at, received_at, rank, true AS there
    FROM outcomes FINAL WHERE prediction_id = none
) AS r ON if(by_request, p.service, '') = r.whose_service AND if(by_request, p.request_id, '') = r.whose
WHERE NOT p.golden
SETTINGS optimize_move_to_prewhere_if_final = 1
;
CREATE OR REPLACE VIEW shadow_results AS
SELECT s.*, o.has_outcome AS has_outcome, o.label AS label, o.observed AS observed, o.attributes AS attributes,
       o.revision AS revision, o.occurred_at AS occurred_at, o.received_at AS received_at
FROM shadows AS s
LEFT JOIN
(
    SELECT prediction_id AS whose, has_outcome, label, observed, attributes, revision, occurred_at, received_at
    FROM results WHERE has_outcome
) AS o ON s.prediction_id = o.whose
WHERE s.prediction_id NOT IN (SELECT prediction_id FROM predictions WHERE golden)
