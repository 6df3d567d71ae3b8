-- name: diagnose/values
-- title: Features and the score in a window and before it, with or without the rows of one group
-- grain: name, part
-- source: table predictions; group: bundle, contract, runtime, tenant, team, or an input that is a word; empty: all rows
-- value: rows, missing, points (quantiles at 0.01, 0.05, 0.1 ... 0.95, 0.99)
-- panel: none
SELECT name, if(event_time >= {from:DateTime('UTC')} AND event_time < {to:DateTime('UTC')}, 'window', 'before') AS part, count() AS rows, countIf(isNaN(value)) AS missing,
       quantilesIf(0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.99)(value, NOT isNaN(value)) AS points
FROM predictions
ARRAY JOIN arrayConcat(mapKeys(features), ['']) AS name, arrayConcat(mapValues(features), [score]) AS value
WHERE service = {service:String} AND NOT golden
    AND (event_time >= {from:DateTime('UTC')} AND event_time < {to:DateTime('UTC')} OR event_time >= {base_from:DateTime('UTC')} AND event_time < {base_to:DateTime('UTC')})
    AND NOT multiIf({dimension:String} = '', false, {dimension:String} = 'bundle', digest = {value:String}, {dimension:String} = 'contract', toString(contract_id) = {value:String},
        {dimension:String} = 'tenant', tenant = {value:String}, {dimension:String} = 'team', team = {value:String}, {dimension:String} = 'runtime', batch_id IN (SELECT batch_id FROM batches WHERE {dimension:String} = 'runtime' AND service = {service:String} AND runtime_id = {value:String}),
        texts[{dimension:String}] = {value:String})
GROUP BY name, part
ORDER BY name, part
