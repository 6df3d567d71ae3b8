-- name: diagnose/letters
-- title: Dead letters in a window and before it
-- grain: reason, part
-- source: table dead_letters, by the time of their rejection
-- value: letters
-- panel: none
SELECT reason, if(rejected_at >= {from:DateTime('UTC')} AND rejected_at < {to:DateTime('UTC')}, 'window', 'before') AS part, count() AS letters
FROM dead_letters
WHERE service = {service:String}
    AND (rejected_at >= {from:DateTime('UTC')} AND rejected_at < {to:DateTime('UTC')} OR rejected_at >= {base_from:DateTime('UTC')} AND rejected_at < {base_to:DateTime('UTC')})
GROUP BY reason, part
ORDER BY reason, part
