-- The record: predictions, shadows, outcomes, dead letters, ledger, and the blocks in which they were written.
-- One text for a server and for embedded chDB. Statements are separated by a line that holds only ";".
--
-- Every table keeps the tokens of its last 10,000 inserts (non_replicated_deduplication_window): a table with that window
-- must always be written with insert_deduplication_token, and so must the target of every view on it.
-- fsync: an announcement must be durable before its insert begins, and an insert before its offsets are acknowledged.
-- log_*: where the recorder read the row; source_*: where the request came from. log_id and source_log are Kafka's ids of
-- these topics: a topic made anew, or moved to another cluster, has the old name and other records under the old offsets.
-- Nothing is deleted by age. Where that is wanted: ALTER TABLE ... MODIFY TTL recorded_at + INTERVAL 90 DAY (recorded_at is the
-- recorder's wall clock; event times may lie years back when the past is replayed).

CREATE TABLE IF NOT EXISTS predictions
(
    prediction_id    UUID COMMENT 'UUIDv7 of event time and request: a replay, another variant and a shadow make the same, and it alone tells its time',
    request_id       String CODEC(ZSTD(1)),
    service          LowCardinality(String),
    model            LowCardinality(String),
    version          LowCardinality(String),
    digest           LowCardinality(String) COMMENT 'first 12 hex characters of the bundle''s digest',
    variant          LowCardinality(String),
    score            Float32 CODEC(ZSTD(1)) COMMENT 'of two classes the probability of the positive one, of more that of the decided one, of a regression the value',
    decision         LowCardinality(String) COMMENT 'class or band, in the words of the bundle; empty for a regression without bands',
    event_time       DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    scored_at        DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    tenant           LowCardinality(String),
    team             LowCardinality(String),
    source_log       LowCardinality(String) COMMENT 'id of the topic; (source_log, source_partition, source_offset) is a request',
    source_topic     LowCardinality(String),
    source_partition Int32 CODEC(ZSTD(1)),
    source_offset    Int64 CODEC(Delta(8), ZSTD(1)),
    traceparent      String CODEC(ZSTD(1)),
    features         Map(LowCardinality(String), Float32) CODEC(ZSTD(1)) COMMENT 'input name -> value as the model saw it, of one in doubles or longs the nearest Float32; NaN: missing',
    feature_age_s    Map(LowCardinality(String), Int32) CODEC(ZSTD(1)) COMMENT 'feature view -> event_time minus the record''s time, seconds',
    feature_status   Map(LowCardinality(String), Enum8('present' = 1, 'null' = 2, 'not_found' = 3, 'stale' = 4, 'unavailable' = 5)) CODEC(ZSTD(1)),
    outputs          Map(LowCardinality(String), Float32) CODEC(ZSTD(1)) COMMENT 'class -> what the model gave for it; empty where there is one output, which is the score',
    texts            Map(LowCardinality(String), String) CODEC(ZSTD(1)) COMMENT 'inputs that are words, as the caller wrote them; one that was null is not in it',
    doubles          Map(LowCardinality(String), Float64) CODEC(ZSTD(1)) COMMENT 'inputs that the model takes as float64, as it saw them; NaN: missing',
    longs            Map(LowCardinality(String), Int64) CODEC(ZSTD(1)) COMMENT 'inputs that the model takes as int64 or int32, as it saw them',
    packed           Array(String) CODEC(ZSTD(1)) COMMENT 'empty; as long as nobody has said what a bundle''s values are called: the seven above, as bytes',
    defaulted_bits   String CODEC(ZSTD(1)) COMMENT 'a bit for each of the features in their order, the lowest of a byte first: 1 where the value is the signature''s default; empty where none is',
    defaulted        Array(String) ALIAS arrayFilter((name, n) -> bitTest(reinterpretAsUInt8(substring(defaulted_bits, intDiv(n - 1, 8) + 1, 1)), (n - 1) % 8), mapKeys(features), arrayEnumerate(mapKeys(features))) COMMENT 'names of those features',
    contract_id      Int32 CODEC(T64, ZSTD(1)) COMMENT 'the registry''s id of the contract that the request was written with',
    batch_id         Int64 CODEC(Delta(8), ZSTD(1)) COMMENT 'micro-batch in which it was scored: table batches',
    log_id           LowCardinality(String),
    log_topic        LowCardinality(String),
    log_partition    Int32 CODEC(ZSTD(1)),
    log_offset       Int64 CODEC(Delta(8), ZSTD(1)),
    recorded_at      DateTime('UTC') DEFAULT now() CODEC(Delta(4), ZSTD(1)),
    golden           Bool MATERIALIZED startsWith(request_id, 'weir-golden:') COMMENT 'a request with a known answer, which Weir itself sends: recorded like all others, and in no statistic',
    INDEX ix_prediction prediction_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX ix_request    request_id    TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX ix_golden     golden        TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(scored_at)        -- one part an insert, however far apart the event times of callers are
ORDER BY (service, model, toStartOfHour(event_time), version, event_time)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1
;
-- What the packed columns of a bundle's predictions mean, and with what they were scored, as its scorers said when they
-- started: a row for each bundle and runtime.
CREATE TABLE IF NOT EXISTS bundles
(
    digest        LowCardinality(String) COMMENT 'first 12 hex characters, as predictions carry it',
    sha256        String,
    service       LowCardinality(String),
    model         LowCardinality(String),
    version       LowCardinality(String),
    inputs        Array(String) COMMENT 'names of the features, in their order',
    views         Array(String) COMMENT 'names of the feature views, in the order of ages and statuses',
    task          LowCardinality(String) COMMENT 'binary, multiclass or regression',
    classes       Array(String) COMMENT 'what a row can turn out to be, of two classes the positive one second; none for a regression',
    outputs       Array(String) COMMENT 'names of the outputs, in their order, where there are several',
    texts         Array(String) COMMENT 'names of the inputs that are words, in their order',
    categories    Map(String, Array(String)) COMMENT 'input -> its words in the order of the codes that features holds, where it is a category',
    doubles       Array(String) COMMENT 'names of the inputs that are float64 to the model, in their order',
    longs         Array(String) COMMENT 'names of the inputs that are int64 or int32 to the model, in their order',
    decisions     Array(String) COMMENT 'what a score can decide, the lowest first, or the classes in their order',
    cuts          Array(Float64) COMMENT 'scores from which on the decision is the next of decisions',
    threshold     Nullable(Float64) COMMENT 'binary without bands: score >= threshold is the positive decision',
    feature_fingerprint String COMMENT 'of the definitions of the features that it reads; empty without',
    runtime_id    LowCardinality(String) COMMENT 'as batches carry it',
    runtime       String COMMENT 'JSON: engine, versions, provider, options, processor; the same bits come of the same runtime',
    role          LowCardinality(String) COMMENT 'scorer or shadow',
    worker        String,
    written_at    DateTime64(3, 'UTC'),
    log_id        LowCardinality(String),
    log_topic     LowCardinality(String),
    log_partition Int32,
    log_offset    Int64,
    recorded_at   DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(written_at)
ORDER BY (digest, runtime_id)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
;
-- What other bundles say of requests that were answered, by the answer's id; no features, since they are the answer's.
CREATE TABLE IF NOT EXISTS shadows
(
    prediction_id    UUID COMMENT 'of the request: the same as of its prediction',
    service          LowCardinality(String),
    model            LowCardinality(String),
    version          LowCardinality(String),
    digest           LowCardinality(String) COMMENT 'first 12 hex characters of the bundle''s digest',
    variant          LowCardinality(String) COMMENT 'name of the shadow',
    score            Float32 CODEC(ZSTD(1)),
    decision         LowCardinality(String) COMMENT 'class or band, as in predictions; nobody acts on it',
    outputs          Map(LowCardinality(String), Float32) CODEC(ZSTD(1)) COMMENT 'class -> what the model gave for it, as in predictions',
    packed           Array(String) CODEC(ZSTD(1)) COMMENT 'empty; as long as nobody has said what a bundle''s outputs are called: they, as bytes',
    event_time       DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    scored_at        DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    source_log       LowCardinality(String),
    source_topic     LowCardinality(String),
    source_partition Int32 CODEC(ZSTD(1)),
    source_offset    Int64 CODEC(Delta(8), ZSTD(1)),
    log_id           LowCardinality(String),
    log_topic        LowCardinality(String),
    log_partition    Int32 CODEC(ZSTD(1)),
    log_offset       Int64 CODEC(Delta(8), ZSTD(1)),
    recorded_at      DateTime('UTC') DEFAULT now() CODEC(Delta(4), ZSTD(1)),
    INDEX ix_prediction prediction_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(scored_at)
ORDER BY (service, variant, model, toStartOfHour(event_time), version, event_time)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1
;
-- Late truth, by one of two ids. May come before the prediction, twice, corrected or withdrawn: of several of a prediction
-- the highest rank wins, whenever they came. Until its parts are merged the table holds the others, too, and what came by
-- the other id always: ask outcomes_latest, or results.
CREATE TABLE IF NOT EXISTS outcomes
(
    service       LowCardinality(String),
    prediction_id UUID COMMENT 'all zeros where the request''s id was given',
    request_id    String CODEC(ZSTD(1)) COMMENT 'empty where the prediction''s id was given',
    label         LowCardinality(Nullable(String)) CODEC(ZSTD(1)) COMMENT 'class that came true',
    observed      Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'number that came true, in the service''s unit',
    attributes    Map(String, Float64) CODEC(ZSTD(1)) COMMENT 'named amounts; keys of low cardinality make a join five times as dear',
    revision      Int64 CODEC(T64, ZSTD(1)),
    withdrawn     Bool CODEC(ZSTD(1)) COMMENT 'there is no outcome; label, observed and attributes are empty',
    occurred_at   DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    received_at   DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)) COMMENT 'broker time of the newest record recorded with it',
    rank          UInt256 MATERIALIZED bitOr(
                      bitShiftLeft(toUInt256(revision), 128),
                      bitOr(bitShiftLeft(toUInt256(toUnixTimestamp64Milli(occurred_at)), 64),
                            toUInt256(cityHash64(withdrawn, ifNull(label, ''), ifNull(observed, nan), attributes))))
                      CODEC(ZSTD(1)) COMMENT 'revision, occurred_at, hash of the content: the highest wins',
    log_id        LowCardinality(String),
    log_topic     LowCardinality(String),
    log_partition Int32 CODEC(ZSTD(1)),
    log_offset    Int64 CODEC(Delta(8), ZSTD(1)),
    recorded_at   DateTime('UTC') DEFAULT now() CODEC(Delta(4), ZSTD(1)),
    INDEX ix_time UUIDv7ToDateTime(prediction_id, 'UTC') TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(rank)
PARTITION BY toYYYYMM(UUIDv7ToDateTime(prediction_id))      -- the prediction's time, 1970 where it is not known: all versions of a row meet in one partition
-- The primary key leaves prediction_id to its hour: by a key that is the id itself, an id is not looked for in its hour.
PRIMARY KEY (toStartOfHour(UUIDv7ToDateTime(prediction_id)), if(request_id = '', '', service), request_id)
ORDER BY (toStartOfHour(UUIDv7ToDateTime(prediction_id)), if(request_id = '', '', service), request_id, prediction_id)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
;
-- Records that were rejected, as they were read: enough to send them again.
CREATE TABLE IF NOT EXISTS dead_letters
(
    source_log       LowCardinality(String),
    source_topic     LowCardinality(String),
    source_partition Int32,
    source_offset    Int64 CODEC(Delta(8), ZSTD(1)),
    service          LowCardinality(String) COMMENT 'empty: rejected by the recorder itself',
    stage            LowCardinality(String),
    reason           LowCardinality(String),
    detail           String CODEC(ZSTD(1)),
    key              Nullable(String) CODEC(ZSTD(1)),
    value            Nullable(String) CODEC(ZSTD(1)),
    payload_sha256   String MATERIALIZED lower(hex(SHA256(ifNull(value, '')))) COMMENT 'of the value as it was read; of nothing for a tombstone',
    rejected_at      DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    log_id           LowCardinality(String),
    log_topic        LowCardinality(String),
    log_partition    Int32,
    log_offset       Int64 CODEC(Delta(8), ZSTD(1)),
    recorded_at      DateTime('UTC') DEFAULT now() CODEC(Delta(4), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(rejected_at)
ORDER BY (service, source_topic, source_log, reason, rejected_at)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1
;
-- Offsets that scorers have done with. Entries of a partition tile its offsets; after a replay they may overlap.
-- Every offset from first to last held a record (read = scored + rejected of them) or is in holes.
CREATE TABLE IF NOT EXISTS ledger
(
    role             LowCardinality(String) COMMENT 'of the worker that wrote it: scorer',
    service          LowCardinality(String),
    source_log       LowCardinality(String),
    source_topic     LowCardinality(String),
    source_partition Int32,
    first            Int64 CODEC(Delta(8), ZSTD(1)),
    last             Int64 CODEC(Delta(8), ZSTD(1)) COMMENT 'inclusive',
    read             Int32 CODEC(T64, ZSTD(1)),
    scored           Int32 CODEC(T64, ZSTD(1)),
    rejected         Int32 CODEC(T64, ZSTD(1)),
    holes            Array(Tuple(first Int64, last Int64)) CODEC(ZSTD(1)) COMMENT 'offsets from first to last that held no record',
    digest           LowCardinality(String),
    worker           LowCardinality(String),
    written_at       DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    log_id           LowCardinality(String),
    log_topic        LowCardinality(String),
    log_partition    Int32,
    log_offset       Int64 CODEC(Delta(8), ZSTD(1)),
    recorded_at      DateTime('UTC') DEFAULT now() CODEC(Delta(4), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(written_at)
ORDER BY (service, role, source_topic, source_log, source_partition, first)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1
;
-- Micro-batches: what each held, how long its stages took, what its worker spent. cpu_us, produce_us and idle_us are since the
-- record before it of the same worker: their sums are exact, the share of one batch is not.
-- A row is work that was done. A batch that is scored again after a crash is another row under another id, since it is paid
-- for again; answers keep the id of the batch that made them. A worker that died before its batch was in the ledger left no
-- row of it: of such answers `ranges` of the row that did the work again tells. So join by batch_id, and count by ranges.
CREATE TABLE IF NOT EXISTS batches
(
    batch_id        Int64 CODEC(Delta(8), ZSTD(1)) COMMENT 'as in predictions; no two batches share one',
    number          Int64 CODEC(Delta(8), ZSTD(1)) COMMENT 'which one of its worker''s batches, from 1',
    service         LowCardinality(String),
    digests         Array(LowCardinality(String)) COMMENT 'of the bundles that answered, first 12 hex characters',
    runs            Array(Tuple(rows Int32, run_us Int64)) CODEC(ZSTD(1)) COMMENT 'of each of them: what it scored, and how long its model ran',
    provider        LowCardinality(String) COMMENT 'where ONNX Runtime works, also beside the kernel for trees; which of them scored is in bundles.runtime',
    runtime_id      LowCardinality(String) COMMENT 'what it was scored with: table bundles',
    worker          LowCardinality(String) COMMENT 'host and process',
    scored_at       DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    oldest_at       DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)) COMMENT 'broker time of its oldest record',
    closed_by       LowCardinality(String),
    rows            UInt32 CODEC(T64, ZSTD(1)) COMMENT 'scored + rejected',
    scored          UInt32 CODEC(T64, ZSTD(1)),
    rejected        UInt32 CODEC(T64, ZSTD(1)),
    bytes_in        UInt64 CODEC(T64, ZSTD(1)),
    bytes_out       UInt64 CODEC(T64, ZSTD(1)) COMMENT 'before compression',
    feature_lookups UInt32 CODEC(T64, ZSTD(1)) COMMENT 'keys over all views',
    feature_hits    UInt32 CODEC(T64, ZSTD(1)) COMMENT 'of them in the worker''s cache',
    wait_us         UInt64 CODEC(T64, ZSTD(1)) COMMENT 'stages of this batch, microseconds',
    decode_us       UInt64 CODEC(T64, ZSTD(1)),
    lookup_us       UInt64 CODEC(T64, ZSTD(1)),
    assemble_us     UInt64 CODEC(T64, ZSTD(1)),
    run_us          UInt64 CODEC(T64, ZSTD(1)),
    encode_us       UInt64 CODEC(T64, ZSTD(1)),
    gpu_us          Nullable(UInt64) CODEC(ZSTD(1)) COMMENT 'held the GPU, copies included; null: ran on none',
    cpu_us          UInt64 CODEC(T64, ZSTD(1)) COMMENT 'of the worker since its record before; of the first, since the process began',
    produce_us      UInt64 CODEC(T64, ZSTD(1)) COMMENT 'waiting for deliveries that ended since the record before',
    idle_us         UInt64 CODEC(T64, ZSTD(1)) COMMENT 'nothing to do, since the record before',
    contract_ids    Array(Int32) CODEC(ZSTD(1)) COMMENT 'of its requests, in the schema registry',
    source_log      LowCardinality(String),
    source_topic    LowCardinality(String),
    ranges          Array(Tuple(partition Int32, first Int64, last Int64)) CODEC(ZSTD(1)) COMMENT 'offsets that it covers, by chunk',
    log_id          LowCardinality(String),
    log_topic       LowCardinality(String),
    log_partition   Int32,
    log_offset      Int64 CODEC(Delta(8), ZSTD(1)),
    recorded_at     DateTime('UTC') DEFAULT now() CODEC(Delta(4), ZSTD(1)),
    INDEX ix_batch batch_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(scored_at)
ORDER BY (service, scored_at, batch_id)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1
;
-- Announcements: what the recorder is about to insert, written before it inserts. Block n of a log's partition is announced
-- with the token log/partition/n, so of two recorders that announce the same n one wins, and both then write the winner's block.
-- The announcement of block n + 1 says that block n is in. A ring of 1,024 for each partition, so the table stays small.
CREATE TABLE IF NOT EXISTS recorder_blocks
(
    log          LowCardinality(String) COMMENT 'id of the topic',
    topic        LowCardinality(String),
    partition    Int32,
    number       UInt64,
    first        Int64,
    last         Int64 COMMENT 'inclusive',
    checksum     UInt32 COMMENT 'crc32 over the values of the records first..last',
    marks        String COMMENT 'JSON: highest source offsets recorded before this block, by source log and partition; the filter against repeats starts from them',
    marks_after  String,
    received_ms  Int64 COMMENT 'broker time of its newest record, milliseconds since the epoch: whoever repeats the block writes the same',
    worker       LowCardinality(String),
    announced_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(number)
ORDER BY (log, partition, number % 1024)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
