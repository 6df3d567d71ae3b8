-- Cells: what came true of an hour's predictions, counted once, so that a figure of many days joins only what is new.
--
-- A cell is of the hour of the predictions. The monitor worker counts it from the join (edges/clickhouse/outcome_cells.py),
-- and again when anything of its hour has changed; `outcome_kept` says which count of an hour is whole, and what it was
-- counted of. Whoever reads compares that with what there is now (sql/parts/kept_hours.sql) and joins the hours that differ.
--
-- What changed: rows that were written, by hour of the prediction. Counted again when an insert is repeated, unlike everywhere
-- else: no window of tokens, so that what an insert left undone and its repetition did is a change, too.
CREATE TABLE IF NOT EXISTS outcome_changes
(
    service LowCardinality(String) COMMENT 'of predictions, and of outcomes that name their request; empty of those that name a prediction, whosever it is',
    hour    DateTime('UTC') COMMENT 'of the prediction; 1970 of outcomes that name their request, whose prediction''s time nobody knows there',
    n       SimpleAggregateFunction(sum, UInt64) COMMENT 'rows written, repetitions included',
    rows    SimpleAggregateFunction(sum, UInt64) COMMENT 'of them predictions',
    newest  SimpleAggregateFunction(max, DateTime64(3, 'UTC')) COMMENT 'event time of the newest prediction that is no golden request',
    last_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) COMMENT 'when, by ClickHouse''s clock'
)
ENGINE = AggregatingMergeTree
ORDER BY (service, hour)
;
CREATE MATERIALIZED VIEW IF NOT EXISTS outcome_changes_scored TO outcome_changes AS
SELECT service, toStartOfHour(toDateTime(event_time, 'UTC')) AS hour, count() AS n, count() AS rows, maxIf(event_time, NOT startsWith(request_id, 'weir-golden:')) AS newest, now64(3, 'UTC') AS last_at
FROM predictions
GROUP BY service, hour
;
CREATE MATERIALIZED VIEW IF NOT EXISTS outcome_changes_received TO outcome_changes AS
SELECT if(request_id = '', '', service) AS service, toStartOfHour(toDateTime(UUIDv7ToDateTime(prediction_id, 'UTC'), 'UTC')) AS hour, count() AS n, now64(3, 'UTC') AS last_at
FROM outcomes
GROUP BY service, hour
;
-- What was recorded before there were cells.
INSERT INTO outcome_changes (service, hour, n, rows, newest, last_at)
SELECT service, toStartOfHour(toDateTime(event_time, 'UTC')) AS hour, count(), count(), maxIf(event_time, NOT golden), now64(3, 'UTC')
FROM predictions
GROUP BY service, hour
;
-- Counts of hours that are whole. The last `made` of an hour counts.
CREATE TABLE IF NOT EXISTS outcome_kept
(
    service LowCardinality(String),
    hour    DateTime('UTC'),
    made    UInt64 COMMENT 'of which count the cells are: microseconds since 1970 by ClickHouse''s clock',
    tables  Array(LowCardinality(String)) COMMENT 'that have its cells: those of the service''s task',
    changes UInt64 COMMENT 'outcome_changes.n of the hour before it was counted',
    common  UInt64 COMMENT 'a hash of what concerns all hours: outcomes that name their request, words of the bundles'
)
ENGINE = ReplacingMergeTree(made)
ORDER BY (service, hour)
SETTINGS fsync_after_insert = 1
;
-- By class that came true and decision. Rows of a class: label, as the view results_<service> calls it.
CREATE TABLE IF NOT EXISTS outcome_counts
(
    service     LowCardinality(String),
    wide        Bool COMMENT 'all tenants and teams together, whose columns are empty',
    hour        DateTime('UTC'),
    made        UInt64,
    version     LowCardinality(String),
    variant     LowCardinality(String),
    tenant      LowCardinality(String),
    team        LowCardinality(String),
    has_outcome Bool,
    label       LowCardinality(String) COMMENT 'empty where none is known',
    decision    LowCardinality(String),
    of_two      Bool COMMENT 'the score is the chance of one of two classes; else outputs has the chance of each',
    n           UInt64,
    usable      UInt64 COMMENT 'of them with chances that are numbers: the sums are over those',
    loss        Float64 COMMENT 'minus the logarithm of the chance of the label; of two, as if it were the positive class',
    loss2       Float64 COMMENT 'its square',
    square      Float64 COMMENT 'squared distance of the chances from what came true, in the same way',
    square2     Float64,
    other_loss  Float64 COMMENT 'of two: the same four as if the label were the negative class',
    other_loss2 Float64,
    other_square Float64,
    other_square2 Float64
)
ENGINE = MergeTree
ORDER BY (service, wide, hour, made, version, variant, tenant, team)
SETTINGS fsync_after_insert = 1
;
-- How old predictions were when their outcome was known.
CREATE TABLE IF NOT EXISTS outcome_delays
(
    service     LowCardinality(String),
    wide        Bool,
    hour        DateTime('UTC'),
    made        UInt64,
    version     LowCardinality(String),
    variant     LowCardinality(String),
    tenant      LowCardinality(String),
    team        LowCardinality(String),
    n           UInt64,
    known       UInt64,
    by_age      Array(UInt64) COMMENT 'of them by each of the ages of outcome/maturity',
    delays      AggregateFunction(quantilesTDigest(0.5, 0.9, 0.99), Float64) COMMENT 'seconds, of those that are known'
)
ENGINE = MergeTree
ORDER BY (service, wide, hour, made, version, variant, tenant, team)
SETTINGS fsync_after_insert = 1
;
-- Of two classes, by 32nds of the log odds of the score, between the chances 1e-7 and 1 - 1e-7.
CREATE TABLE IF NOT EXISTS outcome_scores
(
    service     LowCardinality(String),
    wide        Bool,
    hour        DateTime('UTC'),
    made        UInt64,
    version     LowCardinality(String),
    variant     LowCardinality(String),
    tenant      LowCardinality(String),
    team        LowCardinality(String),
    has_outcome Bool,
    label       LowCardinality(String),
    bin         Int16 COMMENT '32767: the score is no number',
    n           UInt64,
    odds        Float64 COMMENT 'sums over them',
    chances     Float64,
    squares     Float64 COMMENT 'of the chances',
    others      Float64 COMMENT 'squares of 1 minus the chance'
)
ENGINE = MergeTree
ORDER BY (service, wide, hour, made, version, variant, tenant, team, bin)
SETTINGS fsync_after_insert = 1
;
-- Of every class, by tenths of the chance that was given.
CREATE TABLE IF NOT EXISTS outcome_chances
(
    service     LowCardinality(String),
    wide        Bool,
    hour        DateTime('UTC'),
    made        UInt64,
    version     LowCardinality(String),
    variant     LowCardinality(String),
    tenant      LowCardinality(String),
    team        LowCardinality(String),
    has_outcome Bool,
    label       LowCardinality(String),
    class       LowCardinality(String) COMMENT 'empty: the positive one of two, whose chance is the score',
    tenth       UInt8,
    n           UInt64,
    usable      UInt64 COMMENT 'of them with a chance that is a number',
    chances     Float64,
    squares     Float64 COMMENT 'of the chances',
    others      Float64 COMMENT 'squares of 1 minus the chance'
)
ENGINE = MergeTree
ORDER BY (service, wide, hour, made, version, variant, tenant, team, class, tenth)
SETTINGS fsync_after_insert = 1
;
-- Of a regression, by the span of the score as outcome/error_by_value has it; errors are score minus observed.
CREATE TABLE IF NOT EXISTS outcome_errors
(
    service     LowCardinality(String),
    wide        Bool,
    hour        DateTime('UTC'),
    made        UInt64,
    version     LowCardinality(String),
    variant     LowCardinality(String),
    tenant      LowCardinality(String),
    team        LowCardinality(String),
    from_value  Float32,
    n           UInt64,
    known       UInt64,
    strange     UInt64 COMMENT 'observed, and score or error no number',
    usable      UInt64 COMMENT 'the others that were observed: the sums are over those',
    e           Float64,
    size        Float64 COMMENT 'of the errors, without their signs',
    e2          Float64,
    e4          Float64,
    y           Float64 COMMENT 'observed',
    spread      AggregateFunction(varPop, Float64) COMMENT 'of what was observed'
)
ENGINE = MergeTree
ORDER BY (service, wide, hour, made, version, variant, tenant, team, from_value)
SETTINGS fsync_after_insert = 1
