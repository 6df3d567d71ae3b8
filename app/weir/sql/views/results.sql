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
            SELECT groupArray((toString(digest), classes))
            FROM (SELECT digest, classes, role, written_at FROM bundles FINAL WHERE service = '<service>' AND task = 'binary'
                  ORDER BY role = 'scorer' DESC, written_at DESC LIMIT 1 BY digest)
        ) AS named,
        arrayConcat(arrayFlatten(named.2), ['0', '1']) AS words,
        arrayMap(bundle -> arrayMap(word -> (concat(bundle.1, ' ', word),
            if(has(bundle.2, word), word, bundle.2[2 - indexOf(words, word) % 2])), words), named) AS meant,
        arrayPushBack(arrayFlatten(meant), ('', '')) AS pairs     -- worked out once; transform looks up rows
    SELECT * REPLACE (CAST(transform(concat(toString(digest), ' ', toString(ifNull(label, ''))), pairs.1, pairs.2, label), 'LowCardinality(Nullable(String))') AS label)
    FROM <table>
    WHERE service = '<service>'
)
COMMENT '<service>'
