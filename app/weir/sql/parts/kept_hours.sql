-- Hours of the service whose cells count all that there is, with the count that is whole; none unless windows and their blocks
-- (a 24th of a window, of a week or more a day) are whole hours. Of hour 1970 comes what concerns all hours.
SELECT hour, made
FROM
(
    SELECT hour, made, changes, common FROM outcome_kept FINAL
    WHERE service = {service:String} AND hour >= {from:DateTime} AND hour < {to:DateTime} AND {step:UInt32} % 86400 = 0
      AND has(tables, '<of>')
) AS kept
INNER JOIN
(
    SELECT hour, sum(n) AS now FROM outcome_changes
    WHERE service IN ('', {service:String}) AND hour >= {from:DateTime} AND hour < {to:DateTime} AND {step:UInt32} % 86400 = 0
    GROUP BY hour
) AS changed USING hour
WHERE hour + 3600 <= {to:DateTime} AND changes = now
  AND common =
  (
    SELECT cityHash64(groupArray(told))
    FROM <outcome_common: of = service>
  )
