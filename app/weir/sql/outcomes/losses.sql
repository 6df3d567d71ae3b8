-- name: outcomes/losses
-- title: Predicted numbers and what they were off by, by window and predicted value
-- grain: time (begin of a window), bin (one of twenty spans of scores with as many predictions each, over all windows)
-- source: view results_<service>; errors are score minus observed
-- value: rows, known (those with an outcome), absolute (sum of the sizes of their errors), squared (sum of their squares)
-- panel: none
WITH
    (SELECT arrayDistinct(quantiles(0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)(score))
     FROM {results:Identifier}
     WHERE event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')} AND isFinite(score)) AS edges
SELECT toStartOfInterval(event_time, toIntervalSecond({step:UInt32}), 'UTC') AS time, toUInt16(arrayCount(edge -> score > edge, edges)) AS bin, count() AS rows,
       countIf(isFinite(observed)) AS known, sumIf(abs(score - observed), isFinite(observed)) AS absolute, sumIf(pow(score - observed, 2), isFinite(observed)) AS squared
FROM {results:Identifier}
WHERE event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')} AND isFinite(score)
GROUP BY time, bin
ORDER BY time, bin
