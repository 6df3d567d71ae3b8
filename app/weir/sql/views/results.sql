-- name: views/results
-- title: A service's predictions, what came true of them, and what that was worth
-- grain: prediction
-- source: a template: <view>, <table>, <service> and <formula> are put in by edges/clickhouse/results.py, which has looked at each
-- value: label (the class as the bundle that answered calls it, whichever of its words or 0 and 1 was sent), value (null without an outcome, and where the formula gives no number below 1e18; to nine decimals, so that sums are exact)
CREATE OR REPLACE VIEW <view> AS
WITH
    toFloat64(<formula>) AS worth, abs(worth) < 1e18 AS counts, if(counts, worth, 0) AS amount,
    toDecimal128(toInt64(trunc(amount)), 9) AS whole, toInt64(round((amount - trunc(amount)) * 1e9)) AS billionths
SELECT *, if(has_outcome AND counts, whole + toDecimal128(billionths, 0) * toDecimal128('0.000000001', 9), NULL) AS value
FROM
(
    WITH
        (                              -- of each bundle that decides between two classes both words, the positive one second
            SELECT groupArray((digest, classes))
            FROM (SELECT digest, classes, role, written_at FROM bundles FINAL WHERE service = '<service>' AND task = 'binary'
                  ORDER BY role = 'scorer' DESC, written_at DESC LIMIT 1 BY digest)
        ) AS named,
        mapFromArrays(named.1, named.2)[toString(digest)] AS own,
        indexOf(arrayConcat(arrayFlatten(named.2), ['0', '1']), toString(ifNull(label, ''))) AS place
    SELECT * REPLACE (CAST(if(place = 0 OR empty(own), label, own[2 - place % 2]), 'LowCardinality(Nullable(String))') AS label)
    FROM <table>
    WHERE service = '<service>'
)
COMMENT '<service>'
