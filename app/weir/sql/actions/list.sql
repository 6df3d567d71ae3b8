-- name: actions/list
-- title: What Weir proposes to do, and why
-- grain: action_id
-- source: table actions
-- value: kind, sentence
-- panel: none
SELECT at AS proposed, kind, service AS of_service, subject, proposed_by, sentence, parameters, begin AS since, end AS until, toString(action_id) AS id
FROM actions FINAL
WHERE {service:String} IN ('', service) AND at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')}
ORDER BY at DESC, id
