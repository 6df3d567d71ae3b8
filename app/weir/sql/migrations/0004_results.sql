-- Every prediction that counts, and what came true of it. An outcome comes by the id of the prediction or by that of its
-- request; the higher rank wins, and one that was withdrawn is none. FINAL decides among those of one id. The last setting
-- lets a condition on an id, which all versions of a row share, be tried before versions are merged.
-- Most services are told by one of the two ids alone. Whether any outcome came by an id is asked first: the answer is a
-- constant to the statement, so that the join by an id that nobody used, and the ranks where there is nothing to choose,
-- are left out of it: that is half of the work.
CREATE VIEW IF NOT EXISTS results AS
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
-- The last truth of each prediction that has one, one row each.
CREATE VIEW IF NOT EXISTS outcomes_latest AS
SELECT prediction_id, request_id, service, label, observed, attributes, revision, occurred_at, received_at
FROM results
WHERE has_outcome
;
-- The same for what shadows say: the outcome of the answer's request.
CREATE VIEW IF NOT EXISTS shadow_results AS
SELECT s.*, o.has_outcome AS has_outcome, o.label AS label, o.observed AS observed, o.attributes AS attributes,
       o.revision AS revision, o.occurred_at AS occurred_at, o.received_at AS received_at
FROM shadows AS s
LEFT JOIN
(
    SELECT prediction_id AS whose, has_outcome, label, observed, attributes, revision, occurred_at, received_at
    FROM results WHERE has_outcome
) AS o ON s.prediction_id = o.whose
WHERE s.prediction_id NOT IN (SELECT prediction_id FROM predictions WHERE golden)
