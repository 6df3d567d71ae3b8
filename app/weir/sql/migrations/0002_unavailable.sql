-- A fifth status of a feature: the online store did not answer in time, and nothing that it said before was kept.
-- Stored numbers keep their meaning, so no row is rewritten.
ALTER TABLE predictions
    MODIFY COLUMN feature_status Map(LowCardinality(String), Enum8('present' = 1, 'null' = 2, 'not_found' = 3, 'stale' = 4, 'unavailable' = 5)) CODEC(ZSTD(1))
