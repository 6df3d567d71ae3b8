-- Every delivery of an outcome, whichever of them wins: outcomes forgets the others when its parts are merged. A row for each
-- outcome; two that a merge has not met yet are added up by whoever reads.
CREATE TABLE IF NOT EXISTS outcome_deliveries
(
    service           LowCardinality(String),
    prediction_id     UUID COMMENT 'as in outcomes',
    request_id        String CODEC(ZSTD(1)),
    deliveries        SimpleAggregateFunction(sum, UInt64) COMMENT 'how often it came',
    versions          SimpleAggregateFunction(groupUniqArrayArray, Array(UInt64)) CODEC(ZSTD(1)) COMMENT 'a hash of each different one',
    moments           SimpleAggregateFunction(groupUniqArrayArray, Array(UInt64)) CODEC(ZSTD(1)) COMMENT 'a hash of each different revision and occurred_at: fewer than versions where two say different things at one',
    withdrawals       SimpleAggregateFunction(sum, UInt64) COMMENT 'how often it was withdrawn',
    first_received_at SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    last_received_at  SimpleAggregateFunction(max, DateTime64(3, 'UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(UUIDv7ToDateTime(prediction_id))
ORDER BY (service, toStartOfHour(UUIDv7ToDateTime(prediction_id)), request_id, prediction_id)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
;
CREATE MATERIALIZED VIEW IF NOT EXISTS outcome_deliveries_view TO outcome_deliveries AS
SELECT service, prediction_id, request_id, count() AS deliveries,
       groupUniqArray(cityHash64(revision, occurred_at, withdrawn, ifNull(label, ''), ifNull(observed, nan), attributes)) AS versions,
       groupUniqArray(cityHash64(revision, occurred_at)) AS moments, countIf(withdrawn) AS withdrawals,
       min(received_at) AS first_received_at, max(received_at) AS last_received_at
FROM outcomes
GROUP BY service, prediction_id, request_id
