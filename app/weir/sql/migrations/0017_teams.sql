-- Drift is told by team, too. What was counted before says none: it is in the figures of everything, and in no team's.
ALTER TABLE histogram_blocks
    ADD COLUMN IF NOT EXISTS team LowCardinality(String) AFTER tenant
;
ALTER TABLE histograms
    ADD COLUMN IF NOT EXISTS team LowCardinality(String) AFTER tenant,
    MODIFY ORDER BY (service, toStartOfHour(window), kind, name, digest, version, variant, tenant, window, team)
;
ALTER TABLE histograms_hour
    ADD COLUMN IF NOT EXISTS team LowCardinality(String) AFTER tenant,
    MODIFY ORDER BY (service, kind, name, digest, version, variant, tenant, window, team)
;
ALTER TABLE histograms_of_blocks MODIFY QUERY
SELECT service, digest, version, variant, tenant, team, kind, name, window, n, missing, below, above, rest, total, hist, words
FROM histogram_blocks
;
ALTER TABLE histograms_hour_of_blocks MODIFY QUERY
SELECT service, digest, version, variant, tenant, team, kind, name, toStartOfHour(window) AS window,
       n, missing, below, above, rest, total, hist, words
FROM histogram_blocks
