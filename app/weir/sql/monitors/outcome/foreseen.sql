-- name: outcome/foreseen
-- question: How right is it probably, before the truth arrives?
-- title: Estimate before outcomes are known, and what came true
-- source: table measurements: what the monitor worker has found of outcome/estimated, of each window the latest; how an estimate is made and judged says weir/monitor/estimate.py
-- tasks: all
-- time: time
-- subject: figure
-- value: value
-- unit: number
-- n: n
-- low: low
-- high: high
-- window: 1d
-- cadence: on demand
-- panel: lines
-- verdict: foreseen
-- series: estimate as estimate, realised as came true
-- grain: measurements
-- runbook: outcome
-- No bound: outcome/estimated, which it reads, is held to its own past windows.
-- Of each window the estimate is made of those before it alone. value is null where it cannot be trusted; estimate has it anyway,
-- and doubts say why. low, high: nine of ten estimates before it were off by no more. realised: null until nine tenths of the outcomes are in.
SELECT toDateTime(begin, 'UTC') AS time, subject AS figure, m.value AS value, m.n AS n, m.low AS low, m.high AS high,
       JSONExtract(m.details, 'estimate', 'Nullable(Float64)') AS estimate, JSONExtract(m.details, 'realised', 'Nullable(Float64)') AS realised,
       JSONExtract(m.details, 'maturity', 'Nullable(Float64)') AS maturity, JSONExtract(m.details, 'error', 'Nullable(Float64)') AS error,
       arrayStringConcat(JSONExtract(m.details, 'doubts', 'Array(String)'), '; ') AS doubts
FROM measurements AS m FINAL
WHERE service = {service:String} AND monitor = 'outcome/estimated' AND segment = '' AND step_s = {step:UInt32} AND subject != ''
    AND state != 'failed' AND begin >= {from:DateTime} AND begin < {to:DateTime}
ORDER BY time, figure
