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
-- What was used, by batch and who bears it: for a look at some batches.
CREATE VIEW IF NOT EXISTS cost_shares AS
SELECT {service:String} AS service, batch_id, scored_at, odd, kind, who.variant AS variant, who.model AS model, who.version AS version,
       who.digest AS digest, who.tenant AS tenant, who.team AS team, n, used
FROM <cost_shares: since = {since:DateTime64(3, 'UTC')}; until = {until:DateTime64(3, 'UTC')}>
;
-- What was used, by window of step seconds, day, kind, who bears it and component, with its price. used: in millionths of what
-- `component` counts. amount: null where something was used that has no price; a Decimal with 24 digits, so that it is exact.
CREATE VIEW IF NOT EXISTS cost_lines AS
SELECT {service:String} AS service, begin, day, kind, who.variant AS variant, who.model AS model, who.version AS version,
       who.digest AS digest, who.tenant AS tenant, who.team AS team, component, n, used, unpriced,
       if(unpriced, NULL, reinterpret(used * prices[1], 'Decimal(38, 24)')) AS amount
FROM
(
    SELECT begin, day, kind, who, component, n, used, prices, used != 0 AND empty(prices) AS unpriced
    FROM
    (
        SELECT begin, day, kind, who, component, n, used,
               arrayFilter(entry -> entry.1 = component AND day >= entry.2 AND day < entry.3, (SELECT groupArray((component, begins, ends, attos)) FROM prices)).4 AS prices
        FROM
        (
            SELECT toStartOfInterval(toDateTime(scored_at, 'UTC'), toIntervalSecond({step:UInt32})) AS begin, toDate32(scored_at) AS day,
                   kind, who, sum(n) AS n, sumForEach(used) AS quantities
            FROM <cost_shares: since = {since:DateTime64(3, 'UTC')}; until = {until:DateTime64(3, 'UTC')}>
            GROUP BY begin, day, kind, who
        )
        ARRAY JOIN ['cpu', 'gpu', 'features', 'kafka_in', 'kafka_out', 'clickhouse', 'idle'] AS component, quantities AS used
    )
)
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
    shares AS
    (
        SELECT batch_id, scored_at, odd, who, n, quantities, mine, before, among
        FROM <cost_shares: since = {since:DateTime64(3, 'UTC')}; until = {until:DateTime64(3, 'UTC')}>
        WHERE kind = 'answers'
    ),
    borne AS
    (
        SELECT batch_id, prediction_id, CAST((variant, model, version, digest, tenant, team), 'Tuple(variant String, model String, version String, digest String, tenant String, team String)') AS who, source_partition, source_offset
        FROM predictions
        WHERE service = {service:String} AND scored_at >= {since:DateTime64(3, 'UTC')} AND scored_at < {until:DateTime64(3, 'UTC')}
            AND batch_id IN (SELECT batch_id FROM shares WHERE NOT odd)
        UNION ALL
        SELECT batch_id, prediction_id, who, source_partition, source_offset
        FROM <cost_odd: since = {since:DateTime64(3, 'UTC')}; until = {until:DateTime64(3, 'UTC')}>
    ),
    ranked AS
    (
        SELECT batch_id, prediction_id, who, row_number() OVER (PARTITION BY batch_id, who ORDER BY source_partition, source_offset) AS r
        FROM borne
    )
SELECT {service:String} AS service, prediction_id, s.batch_id AS batch_id, s.scored_at AS scored_at, s.who.variant AS variant, s.who.model AS model, s.who.version AS version,
       s.who.digest AS digest, s.who.tenant AS tenant, s.who.team AS team,
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
INNER JOIN shares AS s ON ranked.batch_id = s.batch_id AND ranked.who = s.who
