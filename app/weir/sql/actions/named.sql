-- name: actions/named
-- title: Actions by their id, or how it begins
-- grain: action_id
-- source: table actions
-- value: parameters, evidence (JSON)
-- panel: none
SELECT toString(action_id) AS id, kind, service, subject, proposed_by, sentence, parameters, evidence, measurement_id, begin, end, at
FROM actions FINAL
WHERE startsWith(toString(action_id), {action:String})
ORDER BY at DESC
LIMIT 20
