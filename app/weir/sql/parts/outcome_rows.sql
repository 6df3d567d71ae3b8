-- Predictions with what came true of them, of a segment: by cells where an hour's count all that there is, joined elsewhere.
-- Of a table of cells the columns that are kept; of the view what is said and joined for the same, at which time, and what more
-- its rows must be. A statement is asked without what it does not need (edges/clickhouse/outcome_cells.py), since that makes it
-- longer to plan: without what stands between the lines "cells" and "joined" where no hour of the time is kept, without the
-- lines "rows" where all are; and which are kept is asked before.
-- cells
WITH
    -- hours
    (SELECT arraySort(groupArray((hour, made))) FROM <kept_hours: of = <cells>>) AS counted,
    -- hours end
    toUnixTimestamp({from:DateTime}) AS since, toUnixTimestamp({to:DateTime}) AS until,
    -- What is joined lies between the hours at both ends that are counted.
    since + 3600 * arrayCount((cell, n) -> toUnixTimestamp(cell.1) = since + 3600 * (n - 1), counted, arrayEnumerate(counted)) AS lowest,
    until - 3600 * arrayCount((cell, n) -> toUnixTimestamp(cell.1) = until - 3600 * n, arrayReverse(counted), arrayEnumerate(counted)) AS highest
SELECT hour AS event_time, <kept>
FROM <cells> AS c
WHERE service = {service:String} AND wide = ({tenant:String} = '' AND {team:String} = '') AND hour >= {from:DateTime} AND hour < {to:DateTime}
  AND (hour, made) IN (SELECT cell.1, cell.2 FROM (SELECT arrayJoin(counted) AS cell))
  AND {version:String} IN ('', version) AND {variant:String} IN ('', variant)
  AND {tenant:String} IN ('', tenant) AND {team:String} IN ('', team)
-- rows
UNION ALL
WITH
-- joined: WITH CAST([], 'Array(Tuple(DateTime, UInt64))') AS counted,
    <said>
SELECT <at> AS event_time, <joined>
FROM {results:Identifier} AS r
WHERE service = {service:String} AND r.event_time >= {from:DateTime} AND r.event_time < {to:DateTime}
-- cells
  AND r.event_time >= toDateTime(lowest) AND r.event_time < toDateTime(highest) AND toStartOfHour(toDateTime(r.event_time, 'UTC')) NOT IN (SELECT arrayJoin(counted.1))
-- joined: -- all of it
  AND {version:String} IN ('', version) AND {variant:String} IN ('', variant)
  AND {tenant:String} IN ('', tenant) AND {team:String} IN ('', team)
  <more>
-- rows end
