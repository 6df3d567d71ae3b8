-- name: learners/proposed
-- title: The newest proposal that a learner shall answer
-- grain: one row, none without a proposal
-- source: table actions, kind promote
-- value: sentence, evidence
-- panel: none
SELECT toString(action_id) AS id, at, sentence, evidence
FROM actions FINAL
WHERE kind = 'promote' AND service = {service:String} AND JSONExtractString(parameters, 'learner') = {learner:String}
ORDER BY at DESC, id
LIMIT 1
