"""What materialized views keep, against their queries over the whole source tables, whose rows are compared elsewhere.

A view sees each insert once, so that what it added up must be what its query gives for all rows at once. The comparison
is made from what the database itself says of its views: one that a later migration adds is compared, too.
"""

from __future__ import annotations

import re
from math import isclose
from typing import Any

from clickhouse_connect.driver import Client

# Not those of a table that forgets rows by itself: what its views saw is not there any more. Nor outcome_changes, which
# counts what is written again, too, and when.
VIEWS = """
    SELECT name, as_select, create_table_query FROM system.tables
    WHERE database = currentDatabase() AND engine = 'MaterializedView' AND name NOT LIKE 'outcome_changes_%'
    AND name NOT IN
    (
        SELECT arrayJoin(dependencies_table) FROM system.tables
        WHERE database = currentDatabase() AND engine LIKE 'Replacing%'
    )
    ORDER BY name
"""
TARGET = re.compile(r"\bTO (?:`?\w+`?\.)?`?(\w+)`?")
COLUMNS = """
    SELECT name, type, is_in_sorting_key FROM system.columns
    WHERE database = currentDatabase() AND table = {table:String} ORDER BY position
"""
ENGINE = "SELECT engine FROM system.tables WHERE database = currentDatabase() AND name = {table:String}"
STATE = re.compile(r"^(Simple)?AggregateFunction\((\w+(?:\([^)]*\))?),")


DUE = "chaos_due"
UNTOLD = {"insert_deduplicate": 0}  # of an insert without a token


def differing(client: Client) -> dict[str, int]:
    """How many rows of each target differ from what its views' queries say of the whole sources; where any do."""
    views: dict[str, list[str]] = {}
    for name, select, create in client.query(VIEWS).result_rows:
        target = TARGET.search(create)
        assert target, f"view {name} has no target table: {create}"
        views.setdefault(target[1], []).append(select)
    counts = {target: _difference(client, selects, target) for target, selects in views.items()}
    return {target: count for target, count in counts.items() if count}


def _difference(client: Client, selects: list[str], target: str) -> int:
    """A view may know some of its target's columns only: the others are what they are in a table of the same kind."""
    client.command(f"CREATE OR REPLACE TABLE {DUE} AS {target}")
    try:
        for select in selects:
            names = client.query(f"DESCRIBE TABLE ({select})").result_rows
            columns = ", ".join(f"`{name}`" for name, *_ in names)
            client.command(f"INSERT INTO {DUE} ({columns}) {select}", settings=UNTOLD)
        kept, due = (_rows(client, table, target) for table in (target, DUE))
    finally:
        client.command(f"DROP TABLE IF EXISTS {DUE} SYNC")
    return sum(key not in kept or key not in due or not _same(kept[key], due[key]) for key in kept.keys() | due.keys())


def _rows(client: Client, table: str, target: str) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """What a table of a target's columns says when the rows of each key are merged."""
    engine = client.query(ENGINE, parameters={"table": target}).first_row[0]
    columns = client.query(COLUMNS, parameters={"table": target}).result_rows
    keys = [name for name, _type, in_key in columns if in_key]
    values = [_merged(name, kind, engine) for name, kind, in_key in columns if not in_key]
    shown = ", ".join([*keys, *(f"{value} AS `v{i}`" for i, value in enumerate(values))])
    found = client.query(f"SELECT {shown} FROM {table} GROUP BY {', '.join(keys)}").result_rows
    return {tuple(row[: len(keys)]): tuple(row[len(keys) :]) for row in found}


def _same(kept: tuple[Any, ...], due: tuple[Any, ...]) -> bool:
    """Sums of fractions depend on their order in the last digits."""
    return all(
        isclose(one, other, rel_tol=1e-9, abs_tol=1e-9) if isinstance(one, float) else repr(one) == repr(other)
        for one, other in zip(kept, due, strict=True)
    )


def _merged(name: str, kind: str, engine: str) -> str:
    """What a column comes to when the rows of one key are merged, as an expression."""
    state = STATE.match(kind)
    if state and not state[1]:
        function, _, parameters = state[2].partition("(")
        return f"finalizeAggregation({function}MergeState{'(' + parameters if parameters else ''}(`{name}`))"
    if state:
        return f"arraySort({state[2]}(`{name}`))" if state[2].startswith("groupUniq") else f"{state[2]}(`{name}`)"
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
