-- name: measurements/actions
-- title: Actions that were proposed
-- grain: action_id
-- source: table actions
-- value: proposed (when)
-- panel: none
SELECT toString(actions.action_id) AS action_id, min(actions.at) AS proposed FROM actions GROUP BY actions.action_id
