"""The recorder: topics in, ClickHouse blocks out."""
