-- Which offsets are read and answered, and where the windows of event time lie among them: what the gate asks, at a cost of
-- windows and not of rows. Kept by views as rows come in.
--
-- A bit an offset, 65,536 of them a row: bits can be set twice, so a replay changes nothing.
CREATE TABLE IF NOT EXISTS gate_offsets
(
    service          LowCardinality(String),
    source_log       LowCardinality(String),
    source_topic     LowCardinality(String),
    source_partition Int32,
    block            Int64 COMMENT 'offset / 65,536; the bits below are offsets within it',
    covered          AggregateFunction(groupBitmap, UInt32) COMMENT 'an entry of the ledger covers it',
    held             AggregateFunction(groupBitmap, UInt32) COMMENT 'and it held a record',
    answered         AggregateFunction(groupBitmap, UInt32) COMMENT 'it has a prediction or a dead letter',
    first_covered    SimpleAggregateFunction(min, Int64) DEFAULT 9223372036854775807,
    last_covered     SimpleAggregateFunction(max, Int64) DEFAULT -1,
    last_answered    SimpleAggregateFunction(max, Int64) DEFAULT -1
)
ENGINE = AggregatingMergeTree
ORDER BY (service, source_topic, source_log, source_partition, block)
SETTINGS non_replicated_deduplication_window = 10000
;
CREATE MATERIALIZED VIEW IF NOT EXISTS gate_offsets_read TO gate_offsets AS
SELECT service, source_log, source_topic, source_partition, intDiv(at, 65536) AS block,
       groupBitmapState(toUInt32(at % 65536)) AS covered,
       groupBitmapStateIf(toUInt32(at % 65536), NOT arrayExists(hole -> at BETWEEN hole.first AND hole.last, holes)) AS held,
       min(at) AS first_covered, max(at) AS last_covered
FROM (SELECT service, source_log, source_topic, source_partition, holes, arrayJoin(range(toUInt64(first), toUInt64(last) + 1))::Int64 AS at FROM ledger WHERE role = 'scorer')
GROUP BY service, source_log, source_topic, source_partition, block
;
CREATE MATERIALIZED VIEW IF NOT EXISTS gate_offsets_scored TO gate_offsets AS
SELECT service, source_log, source_topic, source_partition, intDiv(source_offset, 65536) AS block,
       groupBitmapState(toUInt32(source_offset % 65536)) AS answered, max(source_offset) AS last_answered
FROM predictions
GROUP BY service, source_log, source_topic, source_partition, block
;
CREATE MATERIALIZED VIEW IF NOT EXISTS gate_offsets_rejected TO gate_offsets AS
SELECT service, source_log, source_topic, source_partition, intDiv(source_offset, 65536) AS block,
       groupBitmapState(toUInt32(source_offset % 65536)) AS answered, max(source_offset) AS last_answered
FROM dead_letters
WHERE service != ''
GROUP BY service, source_log, source_topic, source_partition, block
;
-- Minutes of event time: which offsets of which partition the predictions of each have.
CREATE TABLE IF NOT EXISTS gate_minutes
(
    service          LowCardinality(String),
    source_log       LowCardinality(String),
    source_topic     LowCardinality(String),
    source_partition Int32,
    minute           DateTime('UTC'),
    first            SimpleAggregateFunction(min, Int64),
    last             SimpleAggregateFunction(max, Int64),
    predictions      SimpleAggregateFunction(sum, UInt64),
    newest           SimpleAggregateFunction(max, DateTime64(3, 'UTC')) COMMENT 'event time, of an event of the future the time at which it was scored'
)
ENGINE = AggregatingMergeTree
ORDER BY (service, minute, source_topic, source_log, source_partition)
SETTINGS non_replicated_deduplication_window = 10000
;
CREATE MATERIALIZED VIEW IF NOT EXISTS gate_minutes_scored TO gate_minutes AS
SELECT service, source_log, source_topic, source_partition, toStartOfMinute(event_time) AS minute,
       min(source_offset) AS first, max(source_offset) AS last, count() AS predictions, max(least(event_time, scored_at)) AS newest
FROM predictions
GROUP BY service, source_log, source_topic, source_partition, minute
;
-- The same of the batches that requests were scored in, by the minute of the scoring: of requests that were all rejected, too,
-- which have no minute of event time.
CREATE TABLE IF NOT EXISTS gate_batches
(
    service          LowCardinality(String),
    source_log       LowCardinality(String),
    source_topic     LowCardinality(String),
    source_partition Int32,
    minute           DateTime('UTC') COMMENT 'of the scoring',
    first            SimpleAggregateFunction(min, Int64),
    last             SimpleAggregateFunction(max, Int64)
)
ENGINE = AggregatingMergeTree
ORDER BY (service, minute, source_topic, source_log, source_partition)
SETTINGS non_replicated_deduplication_window = 10000
;
CREATE MATERIALIZED VIEW IF NOT EXISTS gate_batches_scored TO gate_batches AS
SELECT service, source_log, source_topic, range.partition AS source_partition, toStartOfMinute(toDateTime(scored_at, 'UTC')) AS minute,
       min(range.first) AS first, max(range.last) AS last
FROM batches
ARRAY JOIN ranges AS range
GROUP BY service, source_log, source_topic, source_partition, minute
;
-- The same of outcomes, by the minute of the prediction: 1970 where the request's id was given, since nobody knows it there.
CREATE TABLE IF NOT EXISTS gate_outcomes
(
    service       LowCardinality(String),
    minute        DateTime('UTC') COMMENT 'of the prediction',
    log_id        LowCardinality(String),
    log_topic     LowCardinality(String),
    log_partition Int32,
    first         SimpleAggregateFunction(min, Int64),
    last          SimpleAggregateFunction(max, Int64)
)
ENGINE = AggregatingMergeTree
ORDER BY (service, minute, log_topic, log_id, log_partition)
SETTINGS non_replicated_deduplication_window = 10000
;
CREATE MATERIALIZED VIEW IF NOT EXISTS gate_outcomes_received TO gate_outcomes AS
SELECT service, toStartOfMinute(toDateTime(UUIDv7ToDateTime(prediction_id), 'UTC')) AS minute, log_id, log_topic, log_partition,
       min(log_offset) AS first, max(log_offset) AS last
FROM outcomes
GROUP BY service, minute, log_id, log_topic, log_partition
