-- Since when a block counts as received, so that whoever repeats it writes the same: the later of two outcomes must win,
-- however the log was cut into fetches before and after a crash. 0 in announcements from before this migration.
ALTER TABLE recorder_blocks
    ADD COLUMN IF NOT EXISTS received_ms Int64 COMMENT 'broker time of its newest record, milliseconds since the epoch; never below that of the block before'
;
ALTER TABLE outcomes
    COMMENT COLUMN received_at 'broker time of the newest record recorded with it, never below that of an earlier block of its partition'
