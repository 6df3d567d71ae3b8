-- name: learners/promotions
-- title: Bundles that answered since a learner was promoted, and what went on beside each
-- grain: answers
-- source: table actions, kind promoted
-- value: answers, shadow (the beginning of digests), learner
-- panel: none
SELECT JSONExtractString(parameters, 'answers') AS answers, argMin(JSONExtractString(parameters, 'shadow'), at) AS shadow,
       argMin(JSONExtractString(parameters, 'learner'), at) AS learner
FROM actions
WHERE service = {service:String} AND kind = 'promoted'
GROUP BY answers
ORDER BY answers
