-- name: learners/calls
-- title: What learners call for, and what people took, the newest first
-- grain: action_id
-- source: table actions
-- value: kind, sentence
-- panel: none
SELECT at AS proposed, kind, service AS of_service, proposed_by, sentence, parameters
FROM actions FINAL
WHERE {service:String} IN ('', service) AND (startsWith(proposed_by, 'learners/') OR kind IN ('promoted', 'promoted-back'))
ORDER BY at DESC, action_id
LIMIT {limit:UInt32}
