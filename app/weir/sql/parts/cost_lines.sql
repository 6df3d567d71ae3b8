-- What was used, by window of <step> seconds, day, kind, who bears it and component, with its price, as the view cost_lines has it
-- (migrations/0013_costs.sql), and in fewer steps, each of which makes a statement longer to plan: here a part of a batch bears the
-- difference of two running totals. used: in millionths of what `component` counts. amount: null where something was used that has
-- no price; a Decimal with 24 digits, so that it is exact. More rows, of other kinds: <also>.
-- A statement is asked without the lines "odd" where all batches of the time have their answers, and with the price book as a
-- parameter (edges/clickhouse/costs.py).
SELECT begin, day, kind, who.variant AS variant, who.version AS version, who.tenant AS tenant, who.team AS team, component, n, used,
       arrayFilter(entry -> entry.1 = component AND day >= entry.2 AND day < entry.3, (SELECT groupArray((component, begins, ends, attos)) FROM prices)).4 AS price,
       used != 0 AND empty(price) AS unpriced, if(unpriced, NULL, reinterpret(used * price[1], 'Decimal(38, 24)')) AS amount
FROM
(
    SELECT toStartOfInterval(toDateTime(scored_at, 'UTC'), toIntervalSecond(<step>)) AS begin, toDate32(scored_at) AS day, part.1 AS kind, part.2 AS who, sum(toInt64(part.3)) AS n,
           -- By component: the cpu by all records for other work and by answers for their model, the gpu by answers for their model,
           -- reads and bytes by records alike; what nobody bears is idle.
           sumForEach(arrayMap((quantity, weights) -> intDiv(1000000 * quantity * weights[place], greatest(weights[-1], 1)) - intDiv(1000000 * quantity * weights[place - 1], greatest(weights[-1], 1))
                                                      + if(weights[-1] = 0 AND part.1 = 'idle', 1000000 * quantity, 0),
                               quantities, [by_time, by_model, alike, alike, alike, alike, []])) AS quantities
    FROM
    (
        SELECT scored_at, quantities, parts, arrayCumSum(arrayMap(part -> part.3, parts)) AS alike, arrayCumSum(arrayMap(part -> part.3 * (part.4 + other_ns), parts)) AS by_time,
               arrayCumSum(arrayMap(part -> part.3 * part.4, parts)) AS by_run, if(by_run[-1] > 0, by_run, alike) AS by_model
        FROM
        (
            -- Nanoseconds a record, 1 at least: other work, the model of an answer by its bundle, and the model on average.
            SELECT scored_at, quantities, other_ns,
                   arrayFilter(part -> part.1 = 'idle' OR part.3 > 0, arrayConcat(
                       arrayMap(group -> ('answers', group.1, toInt128(group.2), toInt128(models_ns[indexOf(digests, group.1.digest) + 1])), groups),
                       arrayMap((kind, n, ns) -> (kind, CAST(('', '', '', '', '', ''), 'Tuple(variant String, model String, version String, digest String, tenant String, team String)'), toInt128(n), toInt128(ns)),
                                ['rejected', 'unrecorded', 'idle'], [greatest(read - known - greatest(answers - known, 0), 0), greatest(answers - known, 0), 0], [0, models_ns[1], 0]))) AS parts
            FROM
            (
                SELECT scored_at, digests, toInt64(rows) AS read, toInt64(scored) AS answers,
                       toInt128(intDiv(1000 * toInt64(decode_us + lookup_us + assemble_us + encode_us), greatest(read, 1)) + 1) AS other_ns,
                       arrayPushFront(arrayMap(run -> intDiv(1000 * greatest(run.run_us, 0), greatest(run.rows, 1)) + 1, runs),
                                      intDiv(1000 * arraySum(run -> greatest(run.run_us, 0), runs), greatest(answers, 1)) + 1) AS models_ns,
                       arrayMap(quantity -> toInt128(quantity), [cpu_us, ifNull(gpu_us, 0), greatest(feature_lookups, feature_hits) - feature_hits,
                                                                bytes_in, bytes_out, bytes_out, idle_us]) AS quantities,
                       arraySort(if(answered != scored, ranged, named)) AS groups, arraySum(groups.2) AS known
                FROM batches
                LEFT JOIN
                (
                    SELECT batch_id, sumIf(n, NOT by_range) AS answered, groupArrayIf((who, n), NOT by_range) AS named, groupArrayIf((who, n), by_range) AS ranged
                    FROM
                    (
                        SELECT batch_id, by_range, who, toInt64(sum(answers)) AS n
                        FROM
                        (
                            SELECT batch_id, 0 AS by_range, answers,
                                   CAST((variant, model, version, digest, tenant, team), 'Tuple(variant String, model String, version String, digest String, tenant String, team String)') AS who
                            FROM batch_answers
                            WHERE service = {service:String} AND scored_at >= <since> AND scored_at < <until>
                            -- odd: <since>; <until>
                            UNION ALL
                            SELECT batch_id, 1 AS by_range, 1 AS answers, who
                            FROM <cost_odd: since = <since>; until = <until>>
                            -- odd end
                        )
                        GROUP BY batch_id, by_range, who
                    )
                    GROUP BY batch_id
                ) AS answering USING (batch_id)
                WHERE service = {service:String} AND scored_at >= <since> AND scored_at < <until>
            )
        )
    )
    ARRAY JOIN parts AS part, arrayEnumerate(parts) AS place
    GROUP BY begin, day, kind, who
    <also>
)
ARRAY JOIN ['cpu', 'gpu', 'features', 'kafka_in', 'kafka_out', 'clickhouse', 'idle'] AS component, quantities AS used
