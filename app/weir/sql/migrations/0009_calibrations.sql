-- Bounds of monitors from a service's own history, by subject; the latest of each counts, in place of the monitor's own.
CREATE TABLE IF NOT EXISTS calibrations
(
    service        LowCardinality(String),
    monitor        LowCardinality(String),
    subject        String,
    severity       LowCardinality(String) COMMENT 'warn or page: the bound that is replaced',
    sign           LowCardinality(String) COMMENT '> >= < <=',
    bound          Float64,
    a_month        Float64 COMMENT 'false alarms that may be expected of all subjects together',
    low            Float64 COMMENT 'interval of that, 90 %',
    high           Float64,
    before_a_month Float64 COMMENT 'with the monitor''s own bound',
    wanted_a_month Float64,
    windows        UInt32 COMMENT 'of the history',
    block          UInt32 COMMENT 'windows of a block of the bootstrap',
    step_s         UInt32,
    begin          DateTime64(3, 'UTC') COMMENT 'of the history',
    end            DateTime64(3, 'UTC'),
    calibrated_at  DateTime64(3, 'UTC') DEFAULT now64(3),
    calibrated_by  LowCardinality(String) COMMENT 'user and host'
)
ENGINE = ReplacingMergeTree(calibrated_at)
ORDER BY (service, monitor, severity, subject)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
