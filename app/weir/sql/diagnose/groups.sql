-- name: diagnose/groups
-- title: Who the predictions of a window and of the time before it are of
-- grain: dimension, group, part
-- source: table predictions
-- value: rows
-- panel: none
SELECT pair.1 AS dimension, pair.2 AS group, if(event_time >= {from:DateTime('UTC')} AND event_time < {to:DateTime('UTC')}, 'window', 'before') AS part, count() AS rows
FROM predictions
ARRAY JOIN arrayConcat([('bundle', toString(digest)), ('contract', toString(contract_id)), ('tenant', toString(tenant)), ('team', toString(team))],
                       arrayMap((name, word) -> (toString(name), toString(word)), mapKeys(texts), mapValues(texts))) AS pair
WHERE service = {service:String} AND NOT golden
    AND (event_time >= {from:DateTime('UTC')} AND event_time < {to:DateTime('UTC')} OR event_time >= {base_from:DateTime('UTC')} AND event_time < {base_to:DateTime('UTC')})
GROUP BY dimension, group, part
ORDER BY rows DESC, dimension, group, part
LIMIT 10000
