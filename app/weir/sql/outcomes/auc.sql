-- name: outcomes/auc
-- title: Area under the ROC curve, exact
-- grain: service, model, version, variant
-- source: Hanley and McNeil 1982 (AUC = Mann-Whitney U / (positives * negatives)); ties count half
-- value: auc (unitless, 0..1; null with one label only)
-- min_rows: 500
-- panel: table
--
-- Counted in integers over distinct scores: 2U = sum of pos * (2 * negatives below + neg). The one division is the only rounding.
WITH
    tied AS
    (
        SELECT p.service AS service, p.model AS model, p.version AS version, p.variant AS variant,
               p.score + 0 AS level,                                          -- -0.0 and 0.0 are one level
               countIf(o.label >= 0.5) AS pos, countIf(o.label < 0.5) AS neg
        FROM predictions AS p
        INNER JOIN (SELECT prediction_id, label FROM outcomes FINAL) AS o USING (prediction_id)
        WHERE {service:String} IN ('', p.service) AND NOT isNaN(p.score)
            AND p.event_time >= {from:DateTime64(3, 'UTC')} AND p.event_time < {to:DateTime64(3, 'UTC')}
        GROUP BY service, model, version, variant, level
    ),
    ranked AS
    (
        SELECT *, sum(neg) OVER (PARTITION BY service, model, version, variant ORDER BY level
                                 ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - neg AS below
        FROM tied
    )
SELECT service, model, version, variant, sum(pos) + sum(neg) AS n, sum(pos) AS positives, sum(neg) AS negatives,
       sum(toUInt128(pos) * (2 * below + neg)) / nullIf(toUInt128(2) * sum(pos) * sum(neg), 0) AS auc
FROM ranked
GROUP BY service, model, version, variant
ORDER BY service, model, version, variant
