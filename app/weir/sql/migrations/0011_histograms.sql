-- How inputs, scores and decisions are distributed, by minute and by hour: what drift is worked out from. The recorder counts
-- them in each of its blocks; see core/grid.py for the bins. Counts of one digest, and of several whose grids are the same,
-- can be added; sql/parts/drift_sides.sql brings others onto one.
--
-- What one block counted: the record, by which a block that is repeated finds what is in. log_offset is the block's first
-- offset. After 30 days no block is repeated any more.
CREATE TABLE IF NOT EXISTS histogram_blocks
(
    service       LowCardinality(String),
    digest        LowCardinality(String) COMMENT 'first 12 hex characters of the bundle''s digest: the grids are its own',
    version       LowCardinality(String),
    variant       LowCardinality(String),
    tenant        LowCardinality(String),
    kind          LowCardinality(String) COMMENT 'feature, category, score, class, decision, age (of a feature view, seconds) or status (of one)',
    name          LowCardinality(String) COMMENT 'of the input, class or view; empty for score and decision',
    window        DateTime('UTC') CODEC(Delta(4), ZSTD(1)) COMMENT 'minute of the event time',
    n             UInt64 CODEC(T64, ZSTD(1)) COMMENT 'predictions',
    missing       UInt64 CODEC(T64, ZSTD(1)) COMMENT 'of them without a value',
    below         UInt64 CODEC(T64, ZSTD(1)) COMMENT 'of them below all that the reference has',
    above         UInt64 CODEC(T64, ZSTD(1)) COMMENT 'of them above all that the reference has',
    rest          UInt64 CODEC(T64, ZSTD(1)) COMMENT 'of them with a word that is not counted by name',
    total         Float64 CODEC(ZSTD(1)) COMMENT 'sum of the finite values',
    hist          Map(Int16, UInt64) CODEC(ZSTD(1)) COMMENT 'of numbers: bin -> predictions; 32767 missing, 32766 and -32766 infinite',
    words         Map(String, UInt64) CODEC(ZSTD(1)) COMMENT 'of words: word -> predictions',
    log_id        LowCardinality(String),
    log_topic     LowCardinality(String),
    log_partition Int32 CODEC(ZSTD(1)),
    log_offset    Int64 CODEC(Delta(8), ZSTD(1)),
    recorded_at   DateTime('UTC') DEFAULT now() CODEC(Delta(4), ZSTD(1))
)
ENGINE = MergeTree
ORDER BY (log_id, log_partition, log_offset)
TTL recorded_at + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, ttl_only_drop_parts = 1
;
-- By minute. The hour stands before the name, because one asks for some hours of everything. Not partitioned: a block may
-- hold event times of many months, and must be one part.
CREATE TABLE IF NOT EXISTS histograms
(
    service LowCardinality(String),
    digest  LowCardinality(String),
    version LowCardinality(String),
    variant LowCardinality(String),
    tenant  LowCardinality(String),
    kind    LowCardinality(String),
    name    LowCardinality(String),
    window  DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    n       SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    missing SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    below   SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    above   SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    rest    SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    total   SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
    hist    SimpleAggregateFunction(sumMap, Map(Int16, UInt64)) CODEC(ZSTD(1)),
    words   SimpleAggregateFunction(sumMap, Map(String, UInt64)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
ORDER BY (service, toStartOfHour(window), kind, name, digest, version, variant, tenant, window)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 1024
;
CREATE MATERIALIZED VIEW IF NOT EXISTS histograms_of_blocks TO histograms AS
SELECT service, digest, version, variant, tenant, kind, name, window, n, missing, below, above, rest, total, hist, words
FROM histogram_blocks
;
-- By hour, for whatever is asked in hours: a sixtieth of the rows.
CREATE TABLE IF NOT EXISTS histograms_hour AS histograms
ENGINE = AggregatingMergeTree
ORDER BY (service, kind, name, digest, version, variant, tenant, window)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 1024
;
CREATE MATERIALIZED VIEW IF NOT EXISTS histograms_hour_of_blocks TO histograms_hour AS
SELECT service, digest, version, variant, tenant, kind, name, toStartOfHour(window) AS window,
       n, missing, below, above, rest, total, hist, words
FROM histogram_blocks
;
ALTER TABLE bundles
    ADD COLUMN IF NOT EXISTS ttl_s Array(Float64) COMMENT 'of each of its feature views how old a value may be, seconds; 0: without limit' AFTER views,
    ADD COLUMN IF NOT EXISTS reference String COMMENT 'JSON: grids and counts of inputs, score and decisions over the baseline rows' CODEC(ZSTD(3)) AFTER feature_fingerprint
;
ALTER TABLE recorder_blocks
    ADD COLUMN IF NOT EXISTS unnamed Array(String) COMMENT 'digests of bundles of which nobody had said what their values are called: their rows are recorded packed, and counted when they are named' AFTER received_ms
