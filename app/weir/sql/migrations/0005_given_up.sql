-- A letter that is given up takes its turn among the redrives: it has a batch, is announced as nothing to send, and so is
-- neither open nor sent by anybody after it.
ALTER TABLE redrives
    ADD COLUMN IF NOT EXISTS given_up_by LowCardinality(String) DEFAULT '' COMMENT 'who gave the letter up: user and host; empty: it was sent' AFTER repair,
    ADD COLUMN IF NOT EXISTS given_up_for String DEFAULT '' COMMENT 'why, in words of that person' AFTER given_up_by
