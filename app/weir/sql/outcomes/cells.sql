-- name: outcomes/cells
-- title: Predictions and what came true of them, by window, class and thousandth of the chance that was given
-- grain: time (begin of a window), class (of two the positive one alone), bin, called (whether that class was decided)
-- source: view results_<service>; bin: the greatest thousandth that is not above the chance, compared as float32, as a threshold is
-- value: rows, known (those with an outcome whose class is known), hits (those of the class), chances (the sum of them all)
-- panel: none
SELECT toStartOfInterval(event_time, toIntervalSecond({step:UInt32}), 'UTC') AS time, each.1 AS class,
       toUInt16(least(greatest(round(each.2 * 1000) - (toFloat32(round(each.2 * 1000) / 1000) > each.2), 0), 1000)) AS bin,
       if(empty(outputs), has({flagging:Array(String)}, decision), toString(decision) = class) AS called,
       count() AS rows, countIf(truth != '') AS known, countIf(truth = class) AS hits, sum(toFloat64(each.2)) AS chances
FROM
(
    SELECT event_time, decision, outputs,
           ifNull({meant:Array(String)}[indexOf({words:Array(String)}, toString(ifNull(label, '')))], '') AS truth,
           if(empty(outputs), [({positive:String}, score)], arrayZip(CAST(mapKeys(outputs), 'Array(String)'), mapValues(outputs))) AS pairs
    FROM {results:Identifier}
    WHERE event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')}
)
ARRAY JOIN pairs AS each
WHERE isFinite(each.2)
GROUP BY time, class, bin, called
ORDER BY time, class, bin, called
