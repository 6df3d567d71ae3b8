-- Which state of a learner scored a row: of bundles whose model goes on learning.
ALTER TABLE predictions
    ADD COLUMN IF NOT EXISTS learner_state LowCardinality(String) COMMENT 'first 12 hex characters of a hash of the learner''s state that scored it, where the bundle is a learner''s; else empty' AFTER batch_id
;
ALTER TABLE shadows
    ADD COLUMN IF NOT EXISTS learner_state LowCardinality(String) COMMENT 'of the learner that scored it, as in predictions' AFTER outputs
