-- name: learners/clock
-- title: What time it is
-- grain: one row
-- source: ClickHouse's own clock
-- value: now_ms (ms since 1970), zone
-- panel: none
SELECT toUnixTimestamp64Milli(now64(3)) AS now_ms, serverTimezone() AS zone
