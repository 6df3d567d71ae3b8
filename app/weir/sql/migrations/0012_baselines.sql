-- What is compared with: of each bundle its reference, under the id reference:<digest>, as its scorers said it; and what
-- `weir baseline capture` took from production, under the name that it was given.
CREATE TABLE IF NOT EXISTS baselines
(
    id            LowCardinality(String),
    service       LowCardinality(String),
    digest        LowCardinality(String) COMMENT 'of the bundle whose grids these are',
    kind          LowCardinality(String),
    name          LowCardinality(String),
    grid          LowCardinality(String) COMMENT 'asinh or unit; empty for words',
    center        Float64,
    scale         Float64,
    lo            Nullable(Float64) COMMENT 'least value of the reference',
    hi            Nullable(Float64) COMMENT 'largest value of the reference',
    n             UInt64,
    missing       UInt64,
    below         UInt64,
    above         UInt64,
    rest          UInt64,
    whole         Bool COMMENT 'words: they are all that there were, so that another is new',
    total         Float64,
    hist          Map(Int16, UInt64),
    words         Map(String, UInt64),
    about         String COMMENT 'JSON: what a captured one was taken from, and by whom',
    written_at    DateTime64(3, 'UTC'),
    log_id        LowCardinality(String),
    log_topic     LowCardinality(String),
    log_partition Int32,
    log_offset    Int64,
    recorded_at   DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(written_at)
ORDER BY (service, id, kind, name, digest)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
