"""What a statement would read as a whole: tables whose rows neither the service nor the time restricts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from clickhouse_connect.driver import Client

# They grow with bundles, alerts and repairs, or have a bit a request.
SMALL: Final = frozenset(
    {"actions", "alert_notes", "alerts", "baselines", "budgets", "bundles", "gate_offsets", "migrations"}
    | {"prices", "recorder_blocks", "redriven", "redrives"}
)
TIMELESS: Final = frozenset({"outcome_deliveries", "outcomes"})  # their keys have no time: a service restricts them
ANYWHERE: Final = frozenset({"system.one"})  # what a SELECT without FROM reads
ROWS: Final = frozenset({"values"})  # functions in the place of a table that give what the statement itself says
KEYS: Final = (
    "SELECT name, concat(sorting_key, ' ', partition_key) FROM system.tables WHERE database = currentDatabase()"
)
VIEWS: Final = {
    "shadow_results": "shadows",
    "results": "predictions",
}  # beginning of a view's name -> whose rows it has
NODE: Final = re.compile(r"(?P<kind>[A-Z][A-Z_ ]*[A-Z])(?: id: (?P<id>\d+))?(?:, (?P<said>.*))?")
SAID: Final = re.compile(r"(\w+): ((?:'(?:[^'\\]|\\.)*'|[^,'(]|\([^)]*\))*)")
CONDITIONS: Final = ("WHERE", "PREWHERE")
FROM_BELOW: Final = frozenset({"greater", "greaterOrEquals"})
FROM_ABOVE: Final = frozenset({"less", "lessOrEquals"})
ONE_OF: Final = frozenset({"equals", "in"})
MONOTONIC: Final = re.compile(r"toStartOf\w+|to(Date|DateTime|DateTime64|UnixTimestamp)|CAST|_CAST")


@dataclass(slots=True)
class _Node:
    kind: str
    number: str
    said: Mapping[str, str]
    children: list[_Node] = field(default_factory=list)

    @property
    def arguments(self) -> list[_Node]:
        """Of a function."""
        lists = [inner for child in self.children if child.kind == "ARGUMENTS" for inner in child.children]
        return [node for one in lists for node in one.children]


@dataclass(frozen=True, slots=True)
class _Condition:
    """That a column is at least, or is one of, constants. source: number of the node that the column is of."""

    column: str
    source: str
    kind: str
    constant: str


def unbounded(
    client: Client,
    sql: str,
    parameters: Mapping[str, Any],
    settings: Mapping[str, Any],
    others: Mapping[str, Any] | None = None,
) -> dict[str, tuple[str, ...]]:
    """Tables that the statement would read as a whole, and what does not restrict it: "service", "time".

    Nothing is run but queries in the place of a value. A restriction is a condition with a constant on a column of the
    table's sorting or partition key; from a query around it counts what ClickHouse can move into it. others: parameters
    of another time, with which the constants of times have to be others, too. Raises the driver's errors.
    """
    keys = {str(name): str(key) for name, key in client.query(KEYS, settings=dict(settings)).result_rows}
    found: dict[str, tuple[str, ...]] = {}
    elsewhere = [] if others is None else list(_tables(_explained(client, sql, others, settings), (), frozenset()))
    for place, (name, number, conditions) in enumerate(
        _tables(_explained(client, sql, parameters, settings), (), frozenset())
    ):
        table = name.rpartition(".")[2]
        view = next((begin for begin in VIEWS if table.startswith(begin)), "")
        key = keys.get(VIEWS.get(view, table), "")
        if table in SMALL or not key:
            continue
        fixed = set(elsewhere[place][2]) if place < len(elsewhere) else set()
        usable = [one for one in conditions if one.source != number or re.search(rf"\b{one.column}\b", key)]
        by_service = table.startswith(f"{view}_") or any(one.column == "service" for one in usable)
        by_time = table in TIMELESS or any("Date" in one.kind and one not in fixed for one in usable)
        if lacking := (*(() if by_service else ("service",)), *(() if by_time else ("time",))):
            found[table] = lacking
    return found


def strange(client: Client, sql: str, parameters: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    """What the statement reads that is no table and no view of this database, such as `numbers(...)`.

    Raises the driver's errors.
    """
    answer = client.query(KEYS.replace("SELECT ", "SELECT currentDatabase(), ", 1), settings=dict(settings)).result_rows
    own = {f"{database}.{name}" for database, name, _ in answer}
    views = {str(name) for _, name, _ in answer}
    found: list[str] = []
    for node in _every(_explained(client, sql, parameters, settings)):
        if node.kind == "TABLE" and node.said["table_name"] not in own | ANYWHERE:
            found.append(node.said["table_name"])
        if node.kind == "TABLE_FUNCTION" and node.said["table_function_name"] not in views | ROWS:
            found.append(f"{node.said['table_function_name']}(...)")
    return found


def _explained(client: Client, sql: str, parameters: Mapping[str, Any], settings: Mapping[str, Any]) -> _Node:
    tree = client.query(f"EXPLAIN QUERY TREE {sql}", parameters=dict(parameters), settings=dict(settings))
    return _tree(str(row[0]) for row in tree.result_rows)


def _every(node: _Node) -> Iterator[_Node]:
    yield node
    for child in node.children:
        yield from _every(child)


def _tree(lines: Iterator[str]) -> _Node:
    """EXPLAIN writes a node a line, indented by its depth."""
    root = _Node("", "", {})
    above = [(-1, root)]
    for line in lines:
        depth = len(line) - len(line.lstrip())
        match = NODE.fullmatch(line.strip())
        node = (
            _Node(match["kind"], match["id"] or "", dict(SAID.findall(match["said"] or "")))
            if match
            else _Node("", "", {})
        )
        while above[-1][0] >= depth:
            above.pop()
        above[-1][1].children.append(node)
        above.append((depth, node))
    return root


def _tables(
    node: _Node, conditions: tuple[_Condition, ...], around: frozenset[str]
) -> Iterator[tuple[str, str, tuple[_Condition, ...]]]:
    """Name and number of every table below a node, with the conditions that hold for its rows.

    around: numbers of the queries and joins whose rows come from it.
    """
    if node.kind == "TABLE":
        yield (
            node.said["table_name"],
            node.number,
            tuple(one for one in conditions if one.source in around | {node.number}),
        )
        return
    if any(_is_false(child) for child in node.children if child.kind in CONDITIONS):
        return  # nothing is read where the condition is known to be false
    here = around | {node.number}
    own = [one for child in node.children if child.kind in CONDITIONS for one in _conditions(child)]
    for child in node.children:
        if child.kind in ("PROJECTION", "ARGUMENTS", "EXPRESSION", *CONDITIONS):
            yield from _tables(child, (), frozenset())
        else:
            yield from _tables(child, (*conditions, *own), here)


def _is_false(condition: _Node) -> bool:
    return [(child.kind, child.said.get("constant_value")) for child in condition.children] == [
        ("CONSTANT", "UInt64_0")
    ]


def _conditions(node: _Node) -> Iterator[_Condition]:
    """Of a WHERE, or of functions below it that are joined by AND."""
    for child in node.children:
        name = child.said.get("function_name", "")
        if name == "and":
            yield from _conditions(_Node("", "", {}, child.arguments))
        elif name and len(child.arguments) == 2:
            left, right = child.arguments
            column = _column(right if left.kind == "CONSTANT" else left)
            bounds = (FROM_ABOVE if left.kind == "CONSTANT" else FROM_BELOW) | ONE_OF
            if column and name in bounds and "CONSTANT" in (left.kind, right.kind):
                constant = left if left.kind == "CONSTANT" else right
                yield _Condition(
                    column.said["column_name"],
                    column.said.get("source_id", ""),
                    column.said.get("result_type", ""),
                    constant.said.get("constant_value", ""),
                )


def _column(node: _Node) -> _Node | None:
    """A column, or that which a function that keeps the order of times, such as toStartOfHour, is of."""
    while node.kind == "FUNCTION" and MONOTONIC.fullmatch(node.said["function_name"]):
        columns = [argument for argument in node.arguments if argument.kind != "CONSTANT"]
        if len(columns) != 1:
            return None
        node = columns[0]
    return node if node.kind == "COLUMN" else None
