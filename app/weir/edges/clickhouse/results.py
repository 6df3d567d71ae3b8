"""The views results_<service> and shadow_results_<service>: predictions, their outcomes, and a value by one formula.

A formula is an expression of ClickHouse's SQL. What it is, ClickHouse's own parser says; what it may hold, is listed
here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from clickhouse_connect.driver import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from weir.core.errors import Refused
from weir.core.topics import SERVICE
from weir.edges.clickhouse import sql_files
from weir.edges.clickhouse.client import RETRIABLE, answering, said, url_of

COLUMNS: Final = {
    "decision": "LowCardinality(String)",
    "score": "Float32",
    "label": "LowCardinality(Nullable(String))",
    "observed": "Nullable(Float64)",
    "attributes": "Map(String, Float64)",
}
WORDS: Final = f"{', '.join(COLUMNS)}, such as attributes['refund']"
LARGEST: Final = 1e18  # of values: those that are not below it are none, see views/results.sql
NO_VALUE: Final = "CAST(NULL, 'Nullable(Float64)')"
TABLES: Final = {"results": "results", "shadow_results": "shadow_results"}  # prefix of the view -> what it reads
# Kinds of functions that know the row alone, by ClickHouse's own categories, and some that it gives none.
CATEGORIES: Final = frozenset(
    {"Arithmetic", "Arrays", "Comparison", "Conditional", "Logical", "Map", "Mathematical", "Null", "Rounding"}
    | {"String", "String Search", "Tuple", "Type Conversion"}
)
BESIDE: Final = frozenset({"casewithexpression", "mapcontains", "isfinite", "isnan", "isinfinite"})
MANY_ROWS: Final = frozenset({"arrayjoin"})  # of one
TRIED: Final = (
    "on some outcome it would raise, and no report could be made: write x / y for intDiv(x, y), moduloOrZero(x, y) for "
    "x % y, toFloat64OrNull for toFloat64, or guard it by if(...)"
)
ALWAYS: Final = ("0", "1", "-1", "0.5", "1e15")  # numbers that outcomes have, and scores
PLANTED: Final = 8  # words and numbers of a formula at most: rows are their combinations
QUOTED: Final = re.compile(r"'(?:[^'\\]|\\.)*'")  # as EXPLAIN AST writes a text
NUMERAL: Final = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")
NUMBER: Final = re.compile(r"(LowCardinality\()?(Nullable\()?(U?Int|Float|BFloat|Decimal|Bool)")
# EXPLAIN AST writes a node a line, indented by its depth.
NODE: Final = re.compile(
    r"(?P<depth> *)(?P<kind>\w+)(?: (?!\(children )(?P<text>.*?))?(?: \(children (?P<children>\d+)\))?", re.DOTALL
)
HEAD: Final = ("SelectWithUnionQuery", "ExpressionList", "SelectQuery", "ExpressionList")  # of SELECT expression
FUNCTIONS: Final = """
    SELECT lower(name), is_aggregate OR NOT ifNull(deterministic, 1), categories FROM system.functions
    WHERE lower(name) IN {names:Array(String)}
"""
COMMENT: Final = "SELECT comment FROM system.tables WHERE database = currentDatabase() AND name = {view:String}"


@dataclass(frozen=True, slots=True)
class View:
    """One view that was made. formula: as ClickHouse writes it; empty where the service has none."""

    service: str
    name: str
    formula: str


def view_of(service: str, *, shadows: bool = False) -> str:
    """The view of a service.

    >>> view_of("card-fraud"), view_of("churn", shadows=True)
    ('results_card_fraud', 'shadow_results_churn')
    """
    return f"{'shadow_results' if shadows else 'results'}_{service.replace('-', '_')}"


def make(client: Client, formulas: Mapping[str, str]) -> list[View]:
    """Make the views of these services, or make them anew. formulas: by service; empty for none.

    Every formula is looked at before the first view is made. Raises Unavailable, Refused.
    """
    checked = {service: check(client, service, formula) for service, formula in formulas.items()}
    names: dict[str, str] = {}
    for service in checked:
        other = names.setdefault(view_of(service), _holder(client, service) or service)
        if other != service:
            raise Refused(
                f"services {other} and {service} would share the view {view_of(service)}",
                remedy=f"rename one of them; DROP VIEW {view_of(service)}, where {other} is gone",
            )
    for service, formula in checked.items():
        for prefix, table in TABLES.items():
            text = sql_files.load("views/results").text
            view = view_of(service, shadows=prefix != "results")
            put = {"view": view, "table": table, "service": service, "formula": formula or NO_VALUE}
            with answering(url_of(client)):
                client.command(_filled(text, put))
    return [View(service, view_of(service), formula) for service, formula in checked.items()]


def has_view(client: Client, service: str) -> bool:
    """Whether the view of a service is there. Raises Unavailable, Refused."""
    return _holder(client, service) == service


def check(client: Client, service: str, formula: str) -> str:
    """The formula as ClickHouse writes it: one expression over `COLUMNS`, by functions of a row, that gives a number.

    Raises Unavailable; Refused saying what is wrong with it.
    """
    if not re.fullmatch(SERVICE, service):
        raise Refused(f"{service!r} is no name of a service", remedy="use letters, digits, - and _")
    if not formula.strip():
        return ""
    where = f"services/{service}, value"
    normal = _answer(client, where, "SELECT formatQuerySingleLine({text:String})", text=f"SELECT {formula}")[0][0]
    functions, names, literals = _parts([line for (line,) in _answer(client, where, f"EXPLAIN AST {normal}")], where)
    if strange := sorted(names - COLUMNS.keys()):
        _deny(where, f"it names {', '.join(strange)}")
    _check_functions(client, where, functions)
    expression: str = normal.removeprefix("SELECT ")
    none = "materialize(defaultValueOfTypeName('{}'))"  # constants would be worked out
    given = ", ".join(f"CAST({none.format(kind)}, '{kind}') AS {name}" for name, kind in COLUMNS.items())
    kind = _answer(client, where, f"DESCRIBE TABLE (SELECT ({expression}) AS value FROM (SELECT {given}))")[0][1]
    if not NUMBER.match(kind):
        _deny(where, f"it gives {kind}, no number")
    _try(client, where, expression, literals)
    return expression


def _try(client: Client, where: str, expression: str, literals: Sequence[str]) -> None:
    """Have it worked out for outcomes of all kinds, with the words and numbers that it names, and zeros.

    One row on which it raises would take every report along. Raises Refused for one; Unavailable.
    """
    words = list(dict.fromkeys(word for text in literals for word in QUOTED.findall(text)))[:PLANTED]
    endings = dict.fromkeys(text.rpartition("_")[2] for text in literals)  # a number is written UInt64_5
    numbers = [*ALWAYS, *(number for number in endings if NUMERAL.fullmatch(number))][: len(ALWAYS) + PLANTED]
    values = ", ".join(f"toFloat64({number})" for number in numbers)
    there = ["''", "'1'", "'another'", *words]
    keys = f"CAST([{', '.join(words)}], 'Array(String)')"
    planted = {
        "decision": f"arrayJoin([{', '.join(there)}])",
        "label": f"arrayJoin([NULL, {', '.join(there)}])",
        "score": f"arrayJoin([{values}])",
        "observed": f"arrayJoin([NULL, {values}])",
        "attributes": f"arrayJoin(arrayMap(v -> mapFromArrays({keys}, arrayMap(k -> v, {keys})), [{values}]))",
    }
    rows = ", ".join(f"CAST({made}, '{COLUMNS[name]}') AS {name}" for name, made in planted.items())
    with answering(url_of(client)), _its_author(where, TRIED):
        client.query(f"SELECT max(toFloat64({expression})) FROM (SELECT {rows})")


def _parts(lines: list[str], where: str) -> tuple[set[str], set[str], list[str]]:
    """Functions, names and literals of an expression, by the tree of SELECT expression.

    Raises Refused for anything else.
    """
    nodes = list(_nodes(lines))
    begin = [(kind, depth, children) for depth, kind, _, children in nodes[: len(HEAD)]]
    if begin != [(kind, depth, 1) for depth, kind in enumerate(HEAD)]:
        _deny(where, "it is more than one expression")
    functions: set[str] = set()
    names: set[str] = set()
    literals: list[str] = []
    for _, kind, text, _ in nodes[len(HEAD) :]:
        if kind == "Function":
            functions.add(text.lower())
        elif kind == "Identifier":
            names.add(text)
        elif kind == "Literal":
            literals.append(text)
        elif kind != "ExpressionList":
            _deny(where, f"it holds a {kind}")
        if " (alias " in text and not text.endswith("'"):
            _deny(where, "it gives a part a name (AS)")
    return functions, names, literals


def _nodes(lines: list[str]) -> Iterator[tuple[int, str, str, int]]:
    for line in lines:
        found = NODE.fullmatch(line)
        if found and line.strip():
            yield len(found["depth"]), found["kind"], found["text"] or "", int(found["children"] or 0)


def _check_functions(client: Client, where: str, functions: set[str]) -> None:
    known = _answer(client, where, FUNCTIONS, names=sorted(functions))
    for name, of_many_rows, categories in known:
        inside = name in BESIDE or bool(CATEGORIES & {part.strip() for part in categories.split(",")})
        if of_many_rows or name in MANY_ROWS or not inside:
            _deny(where, f"{name} is no function of the prediction and its outcome alone")
    if strange := sorted(functions - {name for name, *_ in known}):
        _deny(where, f"there is no function {', '.join(strange)}")


def _holder(client: Client, service: str) -> str:
    """The service whose view has the name that this one's would have; empty where there is none."""
    rows = _answer(client, "", COMMENT, view=view_of(service))
    return str(rows[0][0]) if rows else ""


def _answer(client: Client, where: str, sql: str, **parameters: object) -> list[Any]:
    with answering(url_of(client)), _its_author(where):
        return list(client.query(sql, parameters=parameters or None).result_rows)


@contextmanager
def _its_author(where: str, why: str = "ClickHouse refuses it") -> Iterator[None]:
    """What ClickHouse says of a formula is for whoever wrote it. where: the formula; empty where none is looked at."""
    try:
        yield
    except DatabaseError as error:
        if not where or error.code is None or error.code in RETRIABLE:
            raise
        _deny(where, f"{why}: {said(error)}", error)


def _deny(where: str, why: str, error: DatabaseError | None = None) -> NoReturn:
    remedy = f"write one expression that gives a number for a prediction and its outcome, over {WORDS}"
    raise Refused(f"the formula of the value cannot be used: {why}", where=where, remedy=remedy) from error


def _filled(template: str, put: Mapping[str, str]) -> str:
    """The statement of a template: <word> is what `put` has for it."""
    lines = [line for line in template.splitlines() if not line.startswith("--")]
    return re.sub(r"<(\w+)>", lambda found: put[found[1]], "\n".join(lines))
