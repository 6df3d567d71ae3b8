-- Every prediction with what came true of it. An outcome comes by the id of the prediction or by that of its request; the
-- higher rank wins, and one that was withdrawn is none. FINAL decides among those of one id. The setting lets a condition
-- on an id, which all versions of a row share, be tried before versions are merged.
CREATE VIEW IF NOT EXISTS results AS
SELECT p.*, greatest(o.rank, r.rank) > 0 AND NOT if(r.rank > o.rank, r.withdrawn, o.withdrawn) AS has_outcome,
       if(r.rank > o.rank, r.label, o.label) AS label, if(r.rank > o.rank, r.observed, o.observed) AS observed,
       if(r.rank > o.rank, r.attributes, o.attributes) AS attributes, if(r.rank > o.rank, r.revision, o.revision) AS revision,
       if(r.rank > o.rank, r.occurred_at, o.occurred_at) AS occurred_at, if(r.rank > o.rank, r.received_at, o.received_at) AS received_at
FROM predictions AS p
LEFT JOIN
(
    SELECT prediction_id AS whose, label, observed, attributes, revision, withdrawn, occurred_at, received_at, rank
    FROM outcomes FINAL WHERE request_id = ''
) AS o ON p.prediction_id = o.whose
LEFT JOIN
(
    SELECT service AS whose_service, request_id AS whose, label, observed, attributes, revision, withdrawn, occurred_at, received_at, rank
    FROM outcomes FINAL WHERE request_id != ''
) AS r ON p.service = r.whose_service AND p.request_id = r.whose
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
