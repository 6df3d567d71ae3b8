-- name: diagnose/labels
-- title: What came true of equal scores in a window and before it
-- grain: bin, part
-- source: view results_<service>; bin: of the score, 20 of them from 0 to 1, for a regression one
-- value: rows, mean and spread of: the positive class came true, the decided class came true, or observed less score
-- panel: none
SELECT if(isNull(observed) OR notEmpty({labels:Array(String)}), toInt32(floor(20 * score)), 0) AS bin, if(event_time >= {from:DateTime('UTC')} AND event_time < {to:DateTime('UTC')}, 'window', 'before') AS part,
       count() AS rows, avg(truth) AS mean, stddevPop(truth) AS spread
FROM
(
    SELECT *, multiIf(empty({labels:Array(String)}), observed - score, {positive:String} != '', toFloat64(label = {positive:String}), toFloat64(label = decision)) AS truth
    FROM {results:Identifier}
    WHERE (event_time >= {from:DateTime('UTC')} AND event_time < {to:DateTime('UTC')} OR event_time >= {base_from:DateTime('UTC')} AND event_time < {base_to:DateTime('UTC')})
        AND has_outcome
        AND NOT multiIf({dimension:String} = '', false, {dimension:String} = 'bundle', digest = {value:String}, {dimension:String} = 'contract', toString(contract_id) = {value:String},
        {dimension:String} = 'tenant', tenant = {value:String}, {dimension:String} = 'team', team = {value:String}, {dimension:String} = 'runtime', batch_id IN (SELECT batch_id FROM batches WHERE {dimension:String} = 'runtime' AND service = {service:String} AND runtime_id = {value:String}),
        texts[{dimension:String}] = {value:String})
)
WHERE isNotNull(truth)
GROUP BY bin, part
ORDER BY bin, part
