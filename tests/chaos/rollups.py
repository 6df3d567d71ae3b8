"""Every materialized view against its own query over the whole source table, whose rows are compared elsewhere.

A view sees each insert once, so that what it added up must be what its query gives for all rows at once. The comparison
is made from what the database itself says of its views: one that a later migration adds is compared, too.
"""

from __future__ import annotations

import re
from collections import Counter

from clickhouse_connect.driver import Client

VIEWS = """
    SELECT name, as_select, create_table_query FROM system.tables
    WHERE database = currentDatabase() AND engine = 'MaterializedView' ORDER BY name
"""
TARGET = re.compile(r"\bTO (?:`?\w+`?\.)?`?(\w+)`?")
COLUMNS = """
    SELECT name, type, is_in_sorting_key FROM system.columns
    WHERE database = currentDatabase() AND table = {table:String} ORDER BY position
"""
ENGINE = "SELECT engine FROM system.tables WHERE database = currentDatabase() AND name = {table:String}"
STATE = re.compile(r"^(Simple)?AggregateFunction\((\w+(?:\([^)]*\))?),")


def differing(client: Client) -> dict[str, int]:
    """How many rows of each view's target differ from its query over the whole source; only views with any."""
    found = {}
    for name, select, create in client.query(VIEWS).result_rows:
        target = TARGET.search(create)
        assert target, f"view {name} has no target table: {create}"
        count = _difference(client, select, target[1])
        if count:
            found[name] = count
    return found


def _difference(client: Client, select: str, target: str) -> int:
    engine = client.query(ENGINE, parameters={"table": target}).first_row[0]
    columns = client.query(COLUMNS, parameters={"table": target}).result_rows
    keys = [name for name, _type, in_key in columns if in_key]
    values = [_merged(name, kind, engine) for name, kind, in_key in columns if not in_key]
    shown = ", ".join([*keys, *(f"{value} AS `v{i}`" for i, value in enumerate(values))])
    kept, due = (
        Counter(map(repr, client.query(f"SELECT {shown} FROM ({rows}) GROUP BY {', '.join(keys)}").result_rows))
        for rows in (f"SELECT * FROM {target}", select)
    )
    return max((kept - due).total(), (due - kept).total())


def _merged(name: str, kind: str, engine: str) -> str:
    """What a column comes to when the rows of one key are merged, as an expression."""
    state = STATE.match(kind)
    if state and not state[1]:
        function, _, parameters = state[2].partition("(")
        return f"finalizeAggregation({function}MergeState{'(' + parameters if parameters else ''}(`{name}`))"
    if state:
        return f"{state[2]}(`{name}`)"
    if engine == "SummingMergeTree":
        return f"sum(`{name}`)"
    return f"arraySort(groupArray(`{name}`))"


# Two views of the harness's own, so that a database without any still shows that inserts reach their views once.
OWN = (
    """
    CREATE TABLE IF NOT EXISTS chaos_decisions
    (service LowCardinality(String), minute DateTime('UTC'), decision LowCardinality(String), n UInt64, offsets UInt64)
    ENGINE = SummingMergeTree ORDER BY (service, minute, decision) SETTINGS non_replicated_deduplication_window = 10000
    """,
    """
    CREATE MATERIALIZED VIEW IF NOT EXISTS chaos_decisions_view TO chaos_decisions AS
    SELECT service, toStartOfMinute(event_time) AS minute, decision, count() AS n, sum(source_offset) AS offsets
    FROM predictions GROUP BY service, minute, decision
    """,
    """
    CREATE TABLE IF NOT EXISTS chaos_reasons
    (service LowCardinality(String), reason LowCardinality(String), n SimpleAggregateFunction(sum, UInt64),
     records AggregateFunction(uniqExact, Int32, Int64))
    ENGINE = AggregatingMergeTree ORDER BY (service, reason) SETTINGS non_replicated_deduplication_window = 10000
    """,
    """
    CREATE MATERIALIZED VIEW IF NOT EXISTS chaos_reasons_view TO chaos_reasons AS
    SELECT service, reason, count() AS n, uniqExactState(source_partition, source_offset) AS records
    FROM dead_letters GROUP BY service, reason
    """,
)


def make_own(client: Client) -> None:
    for statement in OWN:
        client.command(statement)
