-- What was used, by batch and who bears it. kind: answers; rejected, the batch's dead letters; unrecorded, answers that it
-- gave and that are not in predictions; idle. used: millionths, by component. Record r of the n of a part bears
-- floor(quantity * (before + each * r) / among) less the same of r - 1, in millionths.
--
-- One step a subquery: what a step names is to the next a column; named in one step, each use would be the whole expression
-- again. And few columns in each: ClickHouse plans longer for every column of every step, so who bears it is one.
SELECT batch_id, scored_at, odd, kind, who, n, quantities, mine, before, among,
       arrayMap((quantity, mine, before, among) -> intDiv(1000000 * quantity * (before + mine), among) - intDiv(1000000 * quantity * before, among),
                quantities, mine, before, among) AS used
FROM
(
    SELECT batch_id, scored_at, odd, quantities, part.1 AS kind, part.2 AS who, part.3 AS n, arrayMap(weighed -> weighed[place], weights) AS mine,
           arrayMap(weighed -> arraySum(arraySlice(weighed, 1, place - 1)), weights) AS before, arrayMap(weighed -> arraySum(weighed), weights) AS among
    FROM
    (
        -- By component: the cpu by all records for other work and by answers for their model, the gpu by answers for their model,
        -- reads and bytes by records alike; what nobody bears is idle.
        SELECT batch_id, scored_at, odd, quantities, parts,
               arrayMap(weighed -> if(arraySum(weighed) = 0, arrayMap(part -> toInt128(part.1 = 'idle'), parts), weighed),
                        arrayMap(component -> arrayMap((part, ns) -> toInt128(part.3) * multiIf(component = 1, ns + other_ns, component = 2 AND any_model, ns,
                                                                                              component = 7, 0, 1), parts, model_ns), range(1, 8))) AS weights
        FROM
        (
            SELECT batch_id, scored_at, odd, quantities, parts, other_ns, model_ns, arraySum((part, ns) -> part.3 * ns, parts, model_ns) > 0 AS any_model
            FROM
            (
                SELECT batch_id, scored_at, odd, quantities, parts, other_ns,
                       arrayMap(part -> multiIf(NOT part.1 IN ('answers', 'unrecorded'), 0, indexOf(digests, part.2.digest) = 0, mean_ns,
                                                runs_ns[indexOf(digests, part.2.digest)]), parts) AS model_ns
                FROM
                (
                    -- Nanoseconds a record, 1 at least: other work, the model of an answer by its bundle, and the model on average.
                    SELECT batch_id, scored_at, odd, quantities, digests, intDiv(1000 * other_us, greatest(records, 1)) + 1 AS other_ns,
                           arrayMap(run -> intDiv(1000 * greatest(run.run_us, 0), greatest(run.rows, 1)) + 1, runs) AS runs_ns,
                           intDiv(1000 * arraySum(run -> greatest(run.run_us, 0), runs), greatest(answers, 1)) + 1 AS mean_ns,
                           arraySum(groups.2) AS known, greatest(answers - known, 0) AS unrecorded,
                           arrayFilter(part -> part.1 = 'idle' OR part.3 > 0, arrayConcat(
                               arrayMap(group -> ('answers', group.1, group.2), groups),
                               arrayMap((kind, n) -> (kind, CAST(('', '', '', '', '', ''), 'Tuple(variant String, model String, version String, digest String, tenant String, team String)'), n),
                                        ['rejected', 'unrecorded', 'idle'], [greatest(records - known - unrecorded, 0), unrecorded, 0]))) AS parts
                    FROM
                    (
                        SELECT batch_id, scored_at, digests, runs, toInt64(rows) AS records, toInt64(scored) AS answers,
                               toInt64(decode_us + lookup_us + assemble_us + encode_us) AS other_us,
                               arrayMap(quantity -> toInt128(quantity), [cpu_us, ifNull(gpu_us, 0), greatest(feature_lookups, feature_hits) - feature_hits,
                                                                        bytes_in, bytes_out, bytes_out, idle_us]) AS quantities,
                               answered != scored AS odd, arraySort(if(odd, ranged, named)) AS groups
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
                                    UNION ALL
                                    SELECT batch_id, 1 AS by_range, 1 AS answers, who
                                    FROM <cost_odd: since = <since>; until = <until>>
                                )
                                GROUP BY batch_id, by_range, who
                            )
                            GROUP BY batch_id
                        ) AS answering USING (batch_id)
                        WHERE service = {service:String} AND scored_at >= <since> AND scored_at < <until>
                    )
                )
            )
        )
    )
    ARRAY JOIN parts AS part, arrayEnumerate(parts) AS place
)
