"""ClickHouse's HTTP interface in front of an embedded chDB directory; every other process is a plain HTTP client.

chDB is ClickHouse as a library: it lets one process into a directory and opens no port. This package is that process:

    python -m weir.edges.embedded.clickhouse_facade --path DIR --port 8123

Standard library server, one engine handle per request (0.2 ms), so that SET and USE never leak from one request to
the next; a `session_id` keeps its handle.

A statement reads and writes the tables of its directory and nothing beside: no files, no addresses, no programs, for
nobody (`guard`, `allowed`). `reader` and GET only read. Requests of pages of other origins are refused
(`embedded.origins`).
Inserts, the owner's reads and the reader's statements have slots apart; a statement that reads ends with its client.

What differs from a server: the engine hands a result over by the MiB, so that a failure before the first one is
answered with the error alone; there are no roles, no query_log, and no data after a WITH ... INSERT.
"""
