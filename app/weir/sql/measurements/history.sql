-- name: measurements/history
-- title: Figures of a monitor for a whole service, window by window
-- grain: begin, subject
-- source: table measurements: the greatest revision of each
-- value: value
-- panel: none
SELECT toUnixTimestamp64Milli(begin) AS begin_ms, subject, value
FROM measurements FINAL
WHERE service = {service:String} AND monitor = {monitor:String} AND segment = '' AND step_s = {step:UInt32}
    AND begin >= {from:DateTime64(3, 'UTC')} AND begin < {to:DateTime64(3, 'UTC')}
    AND state NOT IN ('few', 'immature', 'failed')
ORDER BY begin_ms, subject
