-- A letter that is sent again was sent by a person, too: who it was stands beside the batch, as of one that is given up.
ALTER TABLE redrives
    ADD COLUMN IF NOT EXISTS sent_by LowCardinality(String) DEFAULT '' COMMENT 'who sent the letter again: user and host, or the name given in the console; empty: it was given up, or nobody was asked' AFTER worker
