-- name: cells/counts
-- title: Counts an hour's predictions by class that came true and decision
-- grain: service, hour, version, variant, tenant, team, label, decision
-- source: view results_<service>; losses as outcome/log_loss has them
-- value: rows of outcome_counts
INSERT INTO outcome_counts
SELECT {service:String}, wide, hour, {made:UInt64}, version, variant, if(wide, '', tenant) AS tenants, if(wide, '', team) AS teams, has_outcome, label, decision, of_two,
       sum(n), sum(usable), sum(loss), sum(loss2), sum(square), sum(square2), sum(other_loss), sum(other_loss2), sum(other_square), sum(other_square2)
FROM
(
    WITH
        toFloat64(score) AS p, arrayMap(each -> toFloat64(each), mapValues(outputs)) AS chances,
        isFinite(p) AND arrayAll(each -> isFinite(each), chances) AS counts,
        if(counts, if(of_two, p, toFloat64(outputs[label])), 0.5) AS q,
        -ln(least(greatest(q, 1e-7), 1 - 1e-7)) AS a, -ln(least(greatest(1 - q, 1e-7), 1 - 1e-7)) AS b,
        if(of_two, pow(1 - q, 2), arraySum(each -> pow(each, 2), chances) - 2 * q + 1) AS c, pow(q, 2) AS d
    SELECT toStartOfHour(toDateTime(event_time, 'UTC')) AS hour, version, variant, tenant, team, has_outcome, toString(ifNull(r.label, '')) AS label, decision, empty(outputs) AS of_two,
           count() AS n, countIf(counts) AS usable,
           sumIf(a, counts) AS loss, sumIf(a * a, counts) AS loss2, sumIf(c, counts) AS square, sumIf(c * c, counts) AS square2,
           sumIf(b, counts AND of_two) AS other_loss, sumIf(b * b, counts AND of_two) AS other_loss2, sumIf(d, counts AND of_two) AS other_square, sumIf(d * d, counts AND of_two) AS other_square2
    FROM {results:Identifier} AS r
    WHERE event_time >= {from:DateTime} AND event_time < {to:DateTime} AND has({hours:Array(DateTime)}, toStartOfHour(toDateTime(event_time, 'UTC')))
    GROUP BY hour, version, variant, tenant, team, has_outcome, label, decision, of_two
)
ARRAY JOIN [true, false] AS wide
GROUP BY wide, hour, version, variant, tenants, teams, has_outcome, label, decision, of_two
