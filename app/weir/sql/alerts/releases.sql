-- name: alerts/releases
-- title: From when on which version of a service answers
-- grain: variant, since
-- source: table traffic_hour: of each hour the bundle with most answers of a variant; a stretch is a run of hours with one bundle, and begins an hour earlier where that bundle had a part of that hour
-- value: since (begin of the stretch's first hour), predictions (of the bundle in the hours of the stretch)
-- panel: none
SELECT h.bundle.1 AS version, h.bundle.2 AS digest, h.variant AS variant, min(h.began) AS since, sum(h.most) AS predictions
FROM
(
    SELECT variant, bundle, most, window - if(other AND beside AND has(there_before, bundle.2), 3600, 0) AS began,
           sum(other) OVER (PARTITION BY variant ORDER BY window) AS stretch
    FROM
    (
        SELECT variant, window, bundle, most, bundle.2 != lagInFrame(bundle.2) OVER before AS other,
               lagInFrame(window) OVER before = window - 3600 AS beside, lagInFrame(there) OVER before AS there_before
        FROM
        (
            SELECT variant, window, argMax((version, digest), answers) AS bundle, max(answers) AS most, groupArray(digest) AS there
            FROM
            (
                SELECT variant, window, toString(version) AS version, toString(digest) AS digest, sum(n) AS answers
                FROM traffic_hour
                WHERE service = {service:String}
                GROUP BY variant, window, version, digest
            )
            GROUP BY variant, window
        )
        WINDOW before AS (PARTITION BY variant ORDER BY window ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
    )
) AS h
GROUP BY h.variant, h.bundle, h.stretch
ORDER BY since, version, variant
