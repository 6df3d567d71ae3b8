-- name: batches/work
-- title: What scoring takes, by service and worker
-- grain: service, worker
-- source: table batches: one row a micro-batch; CPU, deliveries and idleness are since the worker's record before
-- value: cpu_us (of the whole worker, for each record that was read)
-- panel: table
SELECT service, worker, any(provider) AS provider, toInt64(count()) AS batches, toInt64(sum(rows)) AS records,
       toInt64(sum(rejected)) AS rejected, round(avg(rows), 1) AS rows_a_batch, topK(1)(closed_by)[1] AS mostly_closed_by,
       round(sum(cpu_us) / sum(rows), 1) AS cpu_us,
       if(countIf(isNotNull(gpu_us)) = 0, NULL, round(sum(gpu_us) / sum(rows), 1)) AS gpu_us,
       round(sum(decode_us) / sum(rows), 1) AS decode_us, round(sum(lookup_us) / sum(rows), 1) AS lookup_us,
       round(sum(assemble_us) / sum(rows), 1) AS assemble_us, round(sum(run_us) / sum(rows), 1) AS run_us,
       round(sum(encode_us) / sum(rows), 1) AS encode_us, round(sum(produce_us) / sum(rows), 1) AS produce_us,
       round(sum(idle_us) / 1e6, 3) AS idle_s, round(sum(bytes_in) / sum(rows)) AS bytes_in, round(sum(bytes_out) / sum(rows)) AS bytes_out,
       round(sum(feature_hits) / sum(feature_lookups), 4) AS cache_hits
FROM batches
WHERE {service:String} IN ('', service)
    AND scored_at >= {from:DateTime64(3, 'UTC')} AND scored_at < {to:DateTime64(3, 'UTC')}
GROUP BY service, worker
ORDER BY service, worker
