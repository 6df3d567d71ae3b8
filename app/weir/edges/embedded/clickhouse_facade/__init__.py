"""ClickHouse's HTTP interface in front of an embedded chDB directory; every other process is a plain HTTP client.

chDB is ClickHouse as a library: it lets one process into a directory and opens no port. This package is that process:

    python -m weir.edges.embedded.clickhouse_facade --path DIR --port 8123

Standard library server, one engine handle per request (0.2 ms), so that SET and USE never leak from one request to
the next; a `session_id` keeps its handle. What differs from a server: a result is built in memory before its first
byte is sent, so an error never follows a partial result; `compress=1` (ClickHouse's own block compression) and
external tables are refused.
"""
