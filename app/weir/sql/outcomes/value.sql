-- name: outcomes/value
-- title: Outcomes joined to predictions, and what the decisions were worth
-- grain: role (answer; shadow: what its decisions would have been worth), service, model, version, variant
-- source: business value stated with each outcome: missed (negative, label 1), false alert (positive, label 0)
-- value: value_nusd (nano-dollars, an exact sum of 38 digits: Int64 ends at 9.2 billion dollars; costs are negative)
-- panel: table
WITH
    scores AS          -- answers, and what shadows say of the same requests
    (
        SELECT prediction_id, 'answer' AS role, service, model, version, variant, score, decision, event_time FROM predictions
        WHERE {service:String} IN ('', service) AND event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')}
        UNION ALL
        SELECT prediction_id, 'shadow', service, model, version, variant, score, decision, event_time FROM shadows
        WHERE {service:String} IN ('', service) AND event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')}
    )
SELECT role, service, model, version, variant, count() AS scored, countIf(positive_decision) AS positives,
       countIf(known) AS joined, countIf(known AND label >= 0.5) AS labelled_1,
       countIf(known AND positive_decision AND label >= 0.5) AS caught,
       countIf(known AND NOT positive_decision AND label >= 0.5) AS missed,
       countIf(known AND positive_decision AND label < 0.5) AS false_alerts,
       sumIf(toDecimal128(missed_nusd, 0), known AND NOT positive_decision AND label >= 0.5)
           + sumIf(toDecimal128(false_alert_nusd, 0), known AND positive_decision AND label < 0.5) AS value_nusd
FROM
(
    SELECT p.role AS role, p.service AS service, p.model AS model, p.version AS version, p.variant AS variant,
           p.decision = 'positive' AS positive_decision, o.received AS known, o.label AS label,
           o.missed_nusd AS missed_nusd, o.false_alert_nusd AS false_alert_nusd
    FROM scores AS p
    LEFT JOIN (SELECT prediction_id, label, missed_nusd, false_alert_nusd, true AS received FROM outcomes_latest) AS o USING (prediction_id)
)
GROUP BY role, service, model, version, variant
ORDER BY role, service, model, version, variant
