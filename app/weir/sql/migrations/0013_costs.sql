-- Costs: what each batch's worker spent, shared out to the records that it worked on.
--
-- Seven components, in this order wherever they stand in an array: cpu (microseconds of the worker), gpu (microseconds for
-- which the model held it), features (keys that the online store was asked for: lookups that no cache answered), kafka_in and
-- kafka_out (bytes of values, before compression), clickhouse (bytes of the values that are recorded, which are those of
-- kafka_out) and idle (microseconds without a batch under way).
--
-- Idle time is nobody's. All else is borne by the records of the batch, those that became dead letters too. What its models
-- ran for, `runs` tells by bundle: the gpu is borne by the answers of each bundle for as long as its model ran, and the cpu by
-- all records for what else the batch took, and by the answers for their model. Reads and bytes are borne by records alike.
-- Quantities are counted in millionths. What is left over by a division goes by the running total: of a quantity q the first
-- records of a batch, whose weights are w of W, bear floor(q * w / W), however they are grouped. So shares add up to what was
-- metered, to the last digit, and those of a group to those of its answers.
--
-- An answer bears its share of every batch whose `ranges` hold its request: of a batch that was done again after a crash,
-- too, since it was paid for again. Mostly that is the one batch that it names, and `batch_answers` tells how many answers of
-- which kind name it. Where they are not as many as the batch scored, `predictions` is asked by `ranges`.
--
-- Time is scored_at, by which money was spent, not the request's own.

-- How many answers each batch gave, of each kind: the recorder counts them in each of its blocks, so that a batch which lies in
-- several blocks has rows of each. log_offset is that of the first of the answers: no other row has it.
CREATE TABLE IF NOT EXISTS batch_answers
(
    service       LowCardinality(String),
    scored_at     DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)) COMMENT 'of the batch',
    batch_id      Int64 CODEC(Delta(8), ZSTD(1)),
    variant       LowCardinality(String),
    model         LowCardinality(String),
    version       LowCardinality(String),
    digest        LowCardinality(String),
    tenant        LowCardinality(String),
    team          LowCardinality(String),
    answers       UInt64 CODEC(T64, ZSTD(1)),
    log_id        LowCardinality(String),
    log_topic     LowCardinality(String),
    log_partition Int32 CODEC(ZSTD(1)),
    log_offset    Int64 CODEC(Delta(8), ZSTD(1)),
    recorded_at   DateTime('UTC') DEFAULT now() CODEC(Delta(4), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(scored_at)
ORDER BY (service, scored_at, batch_id)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
;
-- The price book: what one unit of a component costs from a day to another, which is not included. The project's takes the
-- place of this empty one.
CREATE VIEW IF NOT EXISTS prices AS
SELECT '' AS currency, '' AS component, toDate32('2000-01-01') AS begins, toDate32('2000-01-01') AS ends,
       toInt128(0) AS attos       -- of a microsecond, a key, or a byte, in units of 1e-18 of the currency
WHERE false
;
-- What a period may cost; the project's budgets take the place of these none.
CREATE VIEW IF NOT EXISTS budgets AS
SELECT '' AS name, '' AS service, '' AS team, '' AS tenant, '' AS period, toDecimal128(0, 24) AS amount, '' AS currency,
       '' AS action       -- JSON: what is proposed
WHERE false
;
-- Batches of a time that scored another number of records than there are answers that name them.
CREATE VIEW IF NOT EXISTS odd_batches AS
SELECT batch_id, source_log, ranges
FROM batches AS b
LEFT JOIN
(
    SELECT batch_id, sum(answers) AS answered FROM batch_answers
    WHERE service = {service:String} AND scored_at >= {since:DateTime64(3, 'UTC')} AND scored_at < {until:DateTime64(3, 'UTC')}
    GROUP BY batch_id
) AS named USING (batch_id)
WHERE service = {service:String} AND scored_at >= {since:DateTime64(3, 'UTC')} AND scored_at < {until:DateTime64(3, 'UTC')}
    AND answered != scored
;
-- The answers to the requests of such batches, whichever batch they name: of the week before, longer than which a log keeps
-- few requests, and a day after, which no two clocks differ by.
CREATE VIEW IF NOT EXISTS odd_answers AS
WITH odd AS (SELECT * FROM odd_batches(service = {service:String}, since = {since:DateTime64(3, 'UTC')}, until = {until:DateTime64(3, 'UTC')}))
SELECT o.batch_id AS batch_id, prediction_id, variant, model, version, digest, tenant, team, source_partition, source_offset
FROM predictions AS p
INNER JOIN
(   -- by stretches of 1,024 offsets, so that a join by equality finds the ranges that may hold one
    SELECT batch_id, source_log, range.partition AS partition, range.first AS first, range.last AS last,
           arrayJoin(range(intDiv(first, 1024), intDiv(last, 1024) + 1)) AS stretch
    FROM odd ARRAY JOIN ranges AS range
) AS o ON p.source_log = o.source_log AND p.source_partition = o.partition AND intDiv(p.source_offset, 1024) = o.stretch
WHERE (SELECT count() > 0 FROM odd)      -- a constant: mostly there is none, and predictions are not read
    AND p.service = {service:String} AND p.source_offset BETWEEN o.first AND o.last
    AND p.scored_at >= {since:DateTime64(3, 'UTC')} - INTERVAL 7 DAY AND p.scored_at < {until:DateTime64(3, 'UTC')} + INTERVAL 1 DAY
;
-- Batches of a time, with what they used and the answers that bear it: (variant, model, version, digest, tenant, team, n).
CREATE VIEW IF NOT EXISTS cost_batches AS
WITH
    work AS
    (
        SELECT service, batch_id, scored_at, worker, toInt64(rows) AS rows, toInt64(scored) AS scored, digests, runs,
               toInt64(decode_us + lookup_us + assemble_us + encode_us) AS other_us,
               arrayMap(quantity -> toInt128(quantity), [cpu_us, ifNull(gpu_us, 0), greatest(feature_lookups, feature_hits) - feature_hits,
                                                        bytes_in, bytes_out, bytes_out, idle_us]) AS quantities
        FROM batches
        WHERE service = {service:String} AND scored_at >= {since:DateTime64(3, 'UTC')} AND scored_at < {until:DateTime64(3, 'UTC')}
    ),
    named AS
    (
        SELECT batch_id, sum(n) AS answered, groupArray((variant, model, version, digest, tenant, team, n)) AS groups
        FROM
        (
            SELECT batch_id, variant, model, version, digest, tenant, team, toInt64(sum(answers)) AS n
            FROM batch_answers
            WHERE service = {service:String} AND scored_at >= {since:DateTime64(3, 'UTC')} AND scored_at < {until:DateTime64(3, 'UTC')}
            GROUP BY batch_id, variant, model, version, digest, tenant, team
        )
        GROUP BY batch_id
    ),
    ranged AS
    (
        SELECT batch_id, groupArray((variant, model, version, digest, tenant, team, n)) AS groups
        FROM
        (
            SELECT batch_id, variant, model, version, digest, tenant, team, toInt64(count()) AS n
            FROM odd_answers(service = {service:String}, since = {since:DateTime64(3, 'UTC')}, until = {until:DateTime64(3, 'UTC')})
            GROUP BY batch_id, variant, model, version, digest, tenant, team
        )
        GROUP BY batch_id
    )
SELECT service, batch_id, scored_at, worker, rows, scored, quantities, digests, runs, other_us,
       answered != scored AS odd, arraySort(if(odd, ranged.groups, named.groups)) AS groups
FROM work
LEFT JOIN named USING (batch_id)
LEFT JOIN ranged USING (batch_id)
;
-- What was used, by batch and who bears it. kind: answers; rejected, the batch's dead letters; unrecorded, answers that it
-- gave and that are not in predictions; idle. used: millionths, by component. Record r of the n of a part bears
-- floor(quantity * (before + each * r) / among) less the same of r - 1, in millionths.
--
-- One step a subquery: what a step names is to the next a column. Named in one step, each use would be the whole expression
-- again, and the statement take longer to plan.
CREATE VIEW IF NOT EXISTS cost_shares AS
SELECT service, batch_id, scored_at, worker, odd, kind, variant, model, version, digest, tenant, team, n, quantities, mine, upto, among, before,
       arrayMap((quantity, upto, before, among) -> intDiv(1000000 * quantity * upto, among) - intDiv(1000000 * quantity * before, among),
                quantities, upto, before, among) AS used
FROM
(
    SELECT *, part.1 AS kind, part.2.1 AS variant, part.2.2 AS model, part.2.3 AS version, part.2.4 AS digest, part.2.5 AS tenant,
           part.2.6 AS team, part.2.7 AS n, arrayMap((end, weighed) -> end[place] - weighed[place], ends, weights) AS before,
           arrayMap(weighed -> weighed[place], weights) AS mine, arrayMap(end -> end[place], ends) AS upto,
           arrayMap(end -> end[-1], ends) AS among
    FROM
    (
        SELECT *, arrayMap(weighed -> arrayCumSum(weighed), weights) AS ends
        FROM
        (
            SELECT *, arrayMap(weighed -> if(arraySum(weighed) = 0, nobody, weighed),
                               [by_work, if(arraySum(by_model) = 0, counts, by_model), counts, counts, counts, counts, nobody]) AS weights
            FROM
            (
                SELECT *, arrayMap((count, ns) -> count * (ns + other_ns), counts, model_ns) AS by_work,
                       arrayMap((count, ns) -> count * ns, counts, model_ns) AS by_model
                FROM
                (
                    SELECT *, arrayMap(part -> toInt128(part.2.7), parts) AS counts, arrayMap(part -> toInt128(part.1 = 'idle'), parts) AS nobody,
                           arrayMap(part -> multiIf(NOT part.1 IN ('answers', 'unrecorded'), 0, indexOf(digests, part.2.4) = 0, mean_ns,
                                                    runs_ns[indexOf(digests, part.2.4)]), parts) AS model_ns
                    FROM
                    (
                        SELECT *, arrayFilter(part -> part.1 = 'idle' OR part.2.7 > 0, arrayConcat(
                                      arrayMap(group -> ('answers', group), groups),
                                      [('rejected', ('', '', '', '', '', '', greatest(rows - answered - unrecorded, 0))),
                                       ('unrecorded', ('', '', '', '', '', '', unrecorded)), ('idle', ('', '', '', '', '', '', 0))])) AS parts
                        FROM
                        (
                            -- Nanoseconds a record, 1 at least: other work, the model of an answer by its bundle, and the model on average.
                            SELECT *, greatest(scored - answered, 0) AS unrecorded, intDiv(1000 * other_us, greatest(rows, 1)) + 1 AS other_ns,
                                   arrayMap(run -> intDiv(1000 * greatest(run.run_us, 0), greatest(run.rows, 1)) + 1, runs) AS runs_ns,
                                   intDiv(1000 * arraySum(run -> greatest(run.run_us, 0), runs), greatest(scored, 1)) + 1 AS mean_ns
                            FROM
                            (
                                SELECT *, arraySum(groups.7) AS answered
                                FROM cost_batches(service = {service:String}, since = {since:DateTime64(3, 'UTC')}, until = {until:DateTime64(3, 'UTC')})
                            )
                        )
                    )
                )
            )
        )
    )
    ARRAY JOIN parts AS part, arrayEnumerate(parts) AS place
)
;
-- The same by window of step seconds, day and component, with its price. unit: what `used` counts, in millionths of it. amount:
-- null where something was used that has no price; a Decimal with 24 digits, so that it is exact.
CREATE VIEW IF NOT EXISTS cost_lines AS
WITH
    (SELECT groupArray((component, begins, ends, attos)) FROM prices) AS book,
    ['cpu', 'gpu', 'features', 'kafka_in', 'kafka_out', 'clickhouse', 'idle'] AS components,
    arrayMap(entry -> entry.4, arrayFilter(entry -> entry.1 = component AND day >= entry.2 AND day < entry.3, book)) AS price
SELECT service, begin, day, kind, variant, model, version, digest, tenant, team, component, n, used,
       used != 0 AND empty(price) AS unpriced, if(unpriced, NULL, reinterpret(used * price[1], 'Decimal(38, 24)')) AS amount
FROM
(
    SELECT service, toStartOfInterval(toDateTime(scored_at, 'UTC'), toIntervalSecond({step:UInt32})) AS begin, toDate32(scored_at) AS day,
           kind, variant, model, version, digest, tenant, team, sum(n) AS n, sumForEach(used) AS quantities
    FROM cost_shares(service = {service:String}, since = {since:DateTime64(3, 'UTC')}, until = {until:DateTime64(3, 'UTC')})
    GROUP BY service, begin, day, kind, variant, model, version, digest, tenant, team
)
ARRAY JOIN components AS component, quantities AS used
;
-- What was metered, by window, day and component: all that the batches say, whoever bears it.
CREATE VIEW IF NOT EXISTS cost_metered AS
WITH
    (SELECT groupArray((component, begins, ends, attos)) FROM prices) AS book,
    ['cpu', 'gpu', 'features', 'kafka_in', 'kafka_out', 'clickhouse', 'idle'] AS components,
    arrayMap(entry -> entry.4, arrayFilter(entry -> entry.1 = component AND day >= entry.2 AND day < entry.3, book)) AS price
SELECT service, begin, day, component, batches, records, answered, used,
       used != 0 AND empty(price) AS unpriced, if(unpriced, NULL, reinterpret(used * price[1], 'Decimal(38, 24)')) AS amount
FROM
(
    SELECT service, toStartOfInterval(toDateTime(scored_at, 'UTC'), toIntervalSecond({step:UInt32})) AS begin, toDate32(scored_at) AS day,
           toInt64(count()) AS batches, toInt64(sum(rows)) AS records, toInt64(sum(scored)) AS answered,
           arrayMap(quantity -> 1000000 * toInt128(quantity),
                    [sum(cpu_us), sum(ifNull(gpu_us, 0)), sum(greatest(feature_lookups, feature_hits) - feature_hits),
                     sum(bytes_in), sum(bytes_out), sum(bytes_out), sum(idle_us)]) AS quantities
    FROM batches
    WHERE service = {service:String} AND scored_at >= {since:DateTime64(3, 'UTC')} AND scored_at < {until:DateTime64(3, 'UTC')}
    GROUP BY service, begin, day
)
ARRAY JOIN components AS component, quantities AS used
;
-- What each answer bears of each batch, by the second: a row mostly, two where its request was scored twice. It reads answers
-- one by one: for a look at some, not for sums.
CREATE VIEW IF NOT EXISTS prediction_costs AS
WITH
    (SELECT groupArray((component, begins, ends, attos)) FROM prices) AS book,
    ['cpu', 'gpu', 'features', 'kafka_in', 'kafka_out', 'clickhouse', 'idle'] AS components,
    shares AS (SELECT * FROM cost_shares(service = {service:String}, since = {since:DateTime64(3, 'UTC')}, until = {until:DateTime64(3, 'UTC')}) WHERE kind = 'answers'),
    borne AS
    (
        SELECT batch_id, prediction_id, variant, model, version, digest, tenant, team, source_partition, source_offset
        FROM predictions
        WHERE service = {service:String} AND scored_at >= {since:DateTime64(3, 'UTC')} AND scored_at < {until:DateTime64(3, 'UTC')} AND batch_id IN (SELECT batch_id FROM shares WHERE NOT odd)
        UNION ALL
        SELECT * FROM odd_answers(service = {service:String}, since = {since:DateTime64(3, 'UTC')}, until = {until:DateTime64(3, 'UTC')})
    ),
    ranked AS
    (
        SELECT *, row_number() OVER (PARTITION BY batch_id, variant, model, version, digest, tenant, team
                                     ORDER BY source_partition, source_offset) AS r
        FROM borne
    )
SELECT s.service AS service, prediction_id, batch_id, s.scored_at AS scored_at, variant, model, version, digest, tenant, team,
       arrayMap((quantity, before, mine, among) -> intDiv(1000000 * quantity * (before + intDiv(mine, n) * r), among)
                - intDiv(1000000 * quantity * (before + intDiv(mine, n) * (r - 1)), among),
                s.quantities, s.before, s.mine, s.among) AS quantities,
       arrayMap((component, used) -> arrayMap(entry -> reinterpret(used * entry.4, 'Decimal(38, 24)'), arrayFilter(
                entry -> entry.1 = component AND toDate32(s.scored_at) >= entry.2 AND toDate32(s.scored_at) < entry.3, book)),
                components, quantities) AS priced,
       CAST((components, quantities), 'Map(String, Int128)') AS used,
       if(arrayExists((price, used) -> empty(price) AND used != 0, priced, quantities), NULL,
          arraySum(price -> price[1], priced)) AS amount
FROM ranked
INNER JOIN shares AS s USING (batch_id, variant, model, version, digest, tenant, team)
