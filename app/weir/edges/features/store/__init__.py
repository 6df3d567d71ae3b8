"""The online store: packed records, in LMDB or in Redis."""
