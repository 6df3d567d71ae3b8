-- name: outcomes/auc
-- title: Area under the ROC curve, exact
-- grain: role, service, model, version, variant
-- source: Hanley and McNeil 1982 (AUC = Mann-Whitney U / (positives * negatives)); ties count half
-- value: auc (unitless, 0..1; null with one label only)
-- min_rows: 500
-- panel: table
--
-- Counted in integers over distinct scores: 2U = sum of pos * (2 * negatives below + neg). The one division is the only rounding.
WITH
    scores AS          -- answers, and what shadows say of the same requests
    (
        SELECT prediction_id, 'answer' AS role, service, model, version, variant, score, decision, event_time FROM predictions
        WHERE {service:String} IN ('', service) AND event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')}
        UNION ALL
        SELECT prediction_id, 'shadow', service, model, version, variant, score, decision, event_time FROM shadows
        WHERE {service:String} IN ('', service) AND event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')}
    ),
    tied AS
    (
        SELECT p.role AS role, p.service AS service, p.model AS model, p.version AS version, p.variant AS variant,
               p.score + 0 AS level,                                          -- -0.0 and 0.0 are one level
               countIf(o.label >= 0.5) AS pos, countIf(o.label < 0.5) AS neg
        FROM scores AS p
        INNER JOIN (SELECT prediction_id, label FROM outcomes_latest) AS o USING (prediction_id)
        WHERE NOT isNaN(p.score)
        GROUP BY role, service, model, version, variant, level
    ),
    ranked AS
    (
        SELECT *, sum(neg) OVER (PARTITION BY role, service, model, version, variant ORDER BY level
                                 ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - neg AS below
        FROM tied
    )
SELECT role, service, model, version, variant, sum(pos) + sum(neg) AS n, sum(pos) AS positives, sum(neg) AS negatives,
       sum(toUInt128(pos) * (2 * below + neg)) / nullIf(toUInt128(2) * sum(pos) * sum(neg), 0) AS auc
FROM ranked
GROUP BY role, service, model, version, variant
ORDER BY role, service, model, version, variant
