-- name: alerts/notes
-- title: What people say of alerts
-- grain: note_id
-- source: table alert_notes
-- value: kind
-- panel: none
SELECT toString(note_id) AS note_id, kind, key, matchers, silence, by, reason, at, until
FROM alert_notes FINAL
ORDER BY at, note_id
