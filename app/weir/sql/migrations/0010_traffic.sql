-- Predictions by minute and hour of event time: how many, what was decided, how long the answer took. Kept by views as rows
-- come in, at a cost of windows and not of rows. Golden requests are not in it.
--
-- latency: milliseconds from the event to its score, in bins of an eighth of an octave: bin b begins at 2^(b/8) - 1. An event
-- of the future took none.
CREATE TABLE IF NOT EXISTS traffic
(
    service     LowCardinality(String),
    window      DateTime('UTC'),
    digest      LowCardinality(String),
    version     LowCardinality(String),
    variant     LowCardinality(String),
    tenant      LowCardinality(String),
    team        LowCardinality(String),
    n           SimpleAggregateFunction(sum, UInt64),
    score_sum   SimpleAggregateFunction(sum, Float64),
    decisions   SimpleAggregateFunction(sumMap, Map(String, UInt64)),
    latency     SimpleAggregateFunction(sumMap, Map(UInt16, UInt64)),
    latency_sum SimpleAggregateFunction(sum, UInt64) COMMENT 'milliseconds'
)
ENGINE = AggregatingMergeTree
ORDER BY (service, window, version, digest, variant, tenant, team)
SETTINGS non_replicated_deduplication_window = 10000
;
CREATE TABLE IF NOT EXISTS traffic_hour AS traffic
ENGINE = AggregatingMergeTree
ORDER BY (service, window, version, digest, variant, tenant, team)
SETTINGS non_replicated_deduplication_window = 10000
;
CREATE MATERIALIZED VIEW IF NOT EXISTS traffic_scored TO traffic AS
SELECT service, window, digest, version, variant, tenant, team, sum(rows) AS n, sum(scores) AS score_sum,
       sumMap(map(decision, rows)) AS decisions, sumMap(map(bin, rows)) AS latency, sum(took) AS latency_sum
FROM
(
    SELECT service, window, digest, version, variant, tenant, team, decision, bin, count() AS rows, sum(score) AS scores, sum(took_ms) AS took
    FROM
    (
        SELECT service, toStartOfMinute(event_time) AS window, digest, version, variant, tenant, team, toString(p.decision) AS decision, score,
               greatest(dateDiff('millisecond', event_time, scored_at), 0) AS took_ms, toUInt16(floor(8 * log2(1 + took_ms) + 1e-9)) AS bin
        FROM predictions AS p
        WHERE NOT golden
    )
    GROUP BY service, window, digest, version, variant, tenant, team, decision, bin
)
GROUP BY service, window, digest, version, variant, tenant, team
;
CREATE MATERIALIZED VIEW IF NOT EXISTS traffic_by_hour TO traffic_hour AS
SELECT service, toStartOfHour(window) AS window, digest, version, variant, tenant, team, sum(n) AS n, sum(score_sum) AS score_sum,
       sumMap(decisions) AS decisions, sumMap(latency) AS latency, sum(latency_sum) AS latency_sum
FROM traffic
GROUP BY service, window, digest, version, variant, tenant, team
