-- Dead letters that were sent again, once each: announced here before they are sent, and noted when the log holds them.
--
-- What is about to be sent. Batch n has the token redrive/n, so of two commands that announce the same n one wins, and the
-- other looks again which letters are free. A letter is announced again only by whoever finishes for a sender that died and
-- does not find it in the log; its latest batch counts.
CREATE TABLE IF NOT EXISTS redrives
(
    batch            UInt64,
    run              UUID COMMENT 'of the command that announced it',
    worker           String COMMENT 'host and process of that command',
    service          LowCardinality(String),
    source_log       LowCardinality(String) COMMENT 'the letter: where the record was read that was rejected',
    source_topic     LowCardinality(String),
    source_partition Int32,
    source_offset    Int64,
    repair           LowCardinality(String) COMMENT 'none: sent as it was; patch; file',
    key              Nullable(String) CODEC(ZSTD(1)),
    value            Nullable(String) CODEC(ZSTD(1)) COMMENT 'as sent, so that a batch cut short can be finished by anybody',
    into_log         LowCardinality(String) COMMENT 'id of the topic when it was announced; the letter may be of an earlier one of that name',
    log_begin        Int64 COMMENT 'end of the partition before the announcement: whatever is sent stands there or later',
    payload_sha256   String MATERIALIZED lower(hex(SHA256(ifNull(value, '')))),
    announced_at     DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY (batch, source_topic, source_log, source_partition, source_offset)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
;
-- Where they are: found in the log by the header that names the letter. Written again after a crash; the latest counts.
CREATE TABLE IF NOT EXISTS redriven
(
    source_log       LowCardinality(String) COMMENT 'the letter',
    source_topic     LowCardinality(String) COMMENT 'of the new record, too',
    source_partition Int32,
    source_offset    Int64,
    redriven_log     LowCardinality(String) COMMENT 'where the new record is',
    redriven_offset  Int64 COMMENT 'of the new record; of the first, should there be several',
    copies           UInt32 COMMENT 'records in the log that name this letter: 1',
    noted_at         DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(noted_at)
ORDER BY (source_topic, source_log, source_partition, source_offset)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
