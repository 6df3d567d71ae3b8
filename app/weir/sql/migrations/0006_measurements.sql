-- What monitors found, what became of alerts, what people said of them, and what Weir proposes to do. All come by Kafka and
-- are recorded like the rest. A worker that was killed writes again what it had not seen written, under the same ids.
--
-- A figure of one monitor, window and subject. Late data makes it anew under a greater revision, which counts: ask FINAL.
CREATE TABLE IF NOT EXISTS measurements
(
    measurement_id UUID COMMENT 'made of the key, begin and revision',
    monitor        LowCardinality(String) COMMENT 'file of the monitor, without .sql',
    monitor_sha    LowCardinality(String) COMMENT 'first 12 hex characters of its SHA-256',
    service        LowCardinality(String),
    subject        LowCardinality(String) COMMENT 'feature, class, reason and the like, joined by /; empty without',
    segment        LowCardinality(String) COMMENT 'part of the traffic, as --where takes it; empty: all',
    baseline       LowCardinality(String) COMMENT 'id of what the window was compared with; empty without',
    begin          DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)) COMMENT 'of the window, in event time',
    end            DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)) COMMENT 'exclusive',
    step_s         Int32 CODEC(T64, ZSTD(1)),
    value          Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'null: nothing can be said',
    unit           LowCardinality(String) COMMENT 'of value, low, high, expected',
    n              Int64 CODEC(T64, ZSTD(1)) COMMENT 'rows behind it',
    low            Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'of its interval',
    high           Nullable(Float64) CODEC(ZSTD(1)),
    expected       Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'of value, on average, if nothing had changed',
    p              Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'probability of such a value if nothing had changed',
    p_adjusted     Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'corrected for all subjects of the window (Benjamini-Hochberg)',
    log_e          Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'natural logarithm of the evidence over windows',
    state          LowCardinality(String) COMMENT 'ok, warn, page, few, immature, failed',
    maturity       Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'share of predictions whose outcome is known',
    details        String CODEC(ZSTD(1)) COMMENT 'JSON: edges, smoothing, base of logarithms, other columns of the monitor',
    covers         Array(Tuple(log String, topic String, partition Int32, first Int64, last Int64)) CODEC(ZSTD(1)) COMMENT 'offsets of the predictions in the window',
    revision       UInt32 CODEC(T64, ZSTD(1)),
    memory         String CODEC(ZSTD(1)) COMMENT 'JSON: state of detector and alert after it',
    computed_at    DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    worker         LowCardinality(String),
    log_id         LowCardinality(String),
    log_topic      LowCardinality(String),
    log_partition  Int32,
    log_offset     Int64 CODEC(Delta(8), ZSTD(1)),
    recorded_at    DateTime('UTC') DEFAULT now() CODEC(Delta(4), ZSTD(1)),
    INDEX ix_measurement measurement_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(begin)
ORDER BY (service, monitor, subject, segment, step_s, begin)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
;
-- Transitions of alerts. Of several with the same key and number the first in the log counts: ask FINAL.
CREATE TABLE IF NOT EXISTS alerts
(
    key            String COMMENT 'of service, monitor, subject, segment',
    number         UInt32 COMMENT 'of the key''s transitions, from 1 without gaps',
    alert_id       String COMMENT 'from pending or firing until resolved it is one alert',
    from_state     LowCardinality(String) COMMENT 'ok, pending, firing, resolved',
    to_state       LowCardinality(String) COMMENT 'the same; or a mark: acknowledged, silenced, unsilenced',
    at             DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)) COMMENT 'end of the window that caused it',
    severity       LowCardinality(String) COMMENT 'page or ticket',
    service        LowCardinality(String),
    monitor        LowCardinality(String),
    subject        LowCardinality(String),
    segment        LowCardinality(String),
    cause          LowCardinality(String) COMMENT 'alerts of one cause are told as one',
    owner          LowCardinality(String),
    sentence       String CODEC(ZSTD(1)),
    evidence       String CODEC(ZSTD(1)) COMMENT 'JSON: monitor and parameters that show it again, figure, limit',
    measurement_id String CODEC(ZSTD(1)) COMMENT 'that caused it; empty of a mark',
    begin          DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)) COMMENT 'of its window',
    end            DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    covers         Array(Tuple(log String, topic String, partition Int32, first Int64, last Int64)) CODEC(ZSTD(1)),
    runbook        LowCardinality(String) COMMENT 'entry of the run-book',
    by             LowCardinality(String) COMMENT 'who made a mark',
    reason         String CODEC(ZSTD(1)),
    silence        String CODEC(ZSTD(1)) COMMENT 'note that keeps it from being told',
    memory         String CODEC(ZSTD(1)) COMMENT 'JSON: state of the alert after it',
    log_id         LowCardinality(String),
    log_topic      LowCardinality(String),
    log_partition  Int32,
    log_offset     Int64 CODEC(Delta(8), ZSTD(1)),
    recorded_at    DateTime('UTC') DEFAULT now() CODEC(Delta(4), ZSTD(1)),
    rank           UInt64 MATERIALIZED 9223372036854775807 - log_offset COMMENT 'the first in the log is the highest'
)
ENGINE = ReplacingMergeTree(rank)
ORDER BY (service, key, number)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
;
CREATE TABLE IF NOT EXISTS alert_notes
(
    note_id       UUID,
    kind          LowCardinality(String) COMMENT 'ack, silence, unsilence',
    key           String COMMENT 'of the alert; empty where matchers say which',
    matchers      String COMMENT 'JSON: field of an alert -> value, * for any characters',
    silence       String COMMENT 'of unsilence: the note that is taken back',
    by            LowCardinality(String),
    reason        String,
    at            DateTime64(3, 'UTC'),
    until         Nullable(DateTime64(3, 'UTC')) COMMENT 'end of a silence',
    log_id        LowCardinality(String),
    log_topic     LowCardinality(String),
    log_partition Int32,
    log_offset    Int64,
    recorded_at   DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree
ORDER BY (at, note_id)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
;
CREATE TABLE IF NOT EXISTS actions
(
    action_id      UUID COMMENT 'proposed again it is the same',
    kind           LowCardinality(String),
    service        LowCardinality(String),
    subject        String,
    proposed_by    LowCardinality(String) COMMENT 'budget, monitor or policy',
    sentence       String,
    parameters     String COMMENT 'JSON: what whoever does it needs',
    evidence       String COMMENT 'JSON: monitor and parameters that show why',
    measurement_id String,
    begin          DateTime64(3, 'UTC'),
    end            DateTime64(3, 'UTC'),
    at             DateTime64(3, 'UTC'),
    log_id         LowCardinality(String),
    log_topic      LowCardinality(String),
    log_partition  Int32,
    log_offset     Int64,
    recorded_at    DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree
ORDER BY (service, action_id)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
