"""A person's own statements: asked as ClickHouse's reader, one or two at a time, and never for long."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from clickhouse_connect.driver import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from weir.core.errors import Refused, WeirError
from weir.edges.clickhouse import questions, sql_files
from weir.edges.clickhouse.client import written
from weir.edges.clickhouse.monitors import BEFORE, compared
from weir.edges.clickhouse.questions import READONLY, Answer
from weir.edges.clickhouse.results import view_of
from weir.monitor.baseline import Against, Baseline
from weir.monitor.parameters import MEANING
from weir.monitor.parameters import PARAMETERS as OF_MONITORS
from weir.settings import Settings
from weir.web.console.asking import Asker, connected, reader
from weir.web.console.view import View

AT_ONCE: Final = 2  # statements; panels have the reader's other places
LONGEST_S: Final = 20  # for which one runs
WAITING_S: Final = 5.0  # for a place
MOST_ROWS: Final = 5000  # of an answer
MOST_PARTS: Final = 8  # of Weir's in a statement: each is a page of SQL
LONGEST_TEXT: Final = 16_384  # characters: a statement is in an address
REFERENCE: Final = Baseline(Against.REFERENCE)
SCHEMA_S: Final = 60.0  # for which tables are not looked up again
COLUMNS: Final = """
    SELECT table, groupArray((name, type)) AS columns FROM
    (SELECT c.table AS table, c.name AS name, c.type AS type FROM system.columns AS c
     INNER JOIN system.tables AS t ON c.database = t.database AND c.table = t.name
     WHERE c.database = currentDatabase() AND t.engine != 'MaterializedView' AND NOT startsWith(c.table, '.inner')
     ORDER BY c.table, c.position)
    GROUP BY table ORDER BY table
"""
MOST_FUNCTIONS: Final = 2500  # that are offered: as many as ClickHouse has, and no more
FUNCTIONS: Final = f"""
    SELECT name FROM system.functions
    WHERE alias_to = '' AND origin = 'System' AND match(name, '^[a-zA-Z]\\\\w+$')
    ORDER BY lower(name) LIMIT {MOST_FUNCTIONS}
"""
# Of those that a page binds, as they are written.
PARAMETERS: Final = (
    *(f"{{{name}:{kinds[0]}}}" for name, kinds in OF_MONITORS.items()),
    "{traffic:Identifier}",
    "{limit:UInt32}",
)


@dataclass(frozen=True, slots=True)
class Told:
    """An answer, and how long it took. more: it had more than MOST_ROWS rows."""

    answer: Answer
    took_ms: float
    more: bool


class Desk:
    """Where a person's statements are asked. May be used by many threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._client: Client | None = None

    def ask(self, sql: str, bound: Mapping[str, Any]) -> Told:
        """The answer of one statement, MOST_ROWS rows at most. bound: values of its parameters.

        Raises Refused, as ClickHouse words it; Unavailable where it does not answer, or not in LONGEST_S.
        """
        if len(sql) > LONGEST_TEXT:
            raise Refused("the statement is too long", remedy=f"write at most {LONGEST_TEXT:,} characters")
        if not self._places.acquire(timeout=WAITING_S):
            remedy = "wait until one of them is answered"
            raise Refused(f"{AT_ONCE} statements are being asked from here already", remedy=remedy)
        try:
            client, began = self._reached(), time.perf_counter()
            answer = questions.free(client, _whole(sql), bound, MOST_ROWS + 1)
            took_ms = 1000 * (time.perf_counter() - began)
        finally:
            self._places.release()
        rows = answer.rows[:MOST_ROWS]
        return Told(Answer(answer.columns, answer.types, rows), took_ms, len(answer.rows) > MOST_ROWS)

    def close(self) -> None:
        """Ask nothing more."""
        if self._client is not None:
            self._client.close()

    def _reached(self) -> Client:
        with self._lock:
            if self._client is None:
                self._client = _limited(connected(reader(self._settings), LONGEST_S + 2)[0])
            return self._client


def _limited(client: Client) -> Client:
    """The same client, whose statements the server ends after LONGEST_S, where it lets a reader say so."""
    params: dict[str, Any] = client.params  # type: ignore[attr-defined]  # of the HTTP client, the only one that connect makes
    params["max_execution_time"] = str(LONGEST_S)
    try:
        client.query("SELECT 1")
    except DatabaseError as error:
        if error.code != READONLY:
            raise
        params.pop("max_execution_time")  # the user's own limit holds, and this page waits no longer than it says
    return client


def _whole(sql: str) -> str:
    """A statement with Weir's parts put in, as monitors name them. Raises Refused for a part that is not there."""
    if len(sql_files.PART.findall(sql)) > MOST_PARTS:
        raise Refused(f"the statement names more than {MOST_PARTS} parts", remedy="ask them one by one")
    try:
        return sql_files.whole(sql)
    except FileNotFoundError as error:
        raise Refused("the statement names a part that is not there", remedy="see weir/sql/parts") from error


def bound_to(asker: Asker, view: View, sql: str) -> dict[str, Any]:
    """Values for the parameters of a statement that a page knows: of its window, its service, and what that means.

    Others stay for ClickHouse to ask for. Raises Unavailable, Refused.
    """
    wanted = set(sql_files.PARAMETER.findall(_whole(sql)))
    known: dict[str, Any] = {
        "service": view.service,
        "from": written(view.begin),
        "to": written(view.end),
        "step": view.step_s,
        **{name: getattr(view.segment, name) for name in ("version", "variant", "tenant", "team")},
        "subject": view.subject or view.feature,
        **dict(zip(("baseline", "season"), compared(_baseline(sql)), strict=True)),
        **dict.fromkeys(("base_version", "base_variant"), ""),
        "base_from": written(view.begin - BEFORE),
        "base_to": written(view.begin),
        "results": view_of(view.service),
        "shadow_results": view_of(view.service, shadows=True),
        "traffic": "traffic",
        "limit": MOST_ROWS,
    }
    if wanted & MEANING and view.service:
        known |= asker.meaning(view.service)
    return {name: value for name, value in known.items() if name in wanted}


def _baseline(sql: str) -> Baseline:
    """What a statement that begins as a monitor does is compared with; any other one with the bundle's reference."""
    found = re.search(r"^-- baseline: *(\S.*)$", sql, re.MULTILINE)
    try:
        return Baseline.of(found[1]) if found else REFERENCE
    except ValueError:
        return REFERENCE


def schema(asker: Asker) -> dict[str, list[tuple[str, str]]]:
    """Columns and their types by table; none while ClickHouse does not answer."""
    try:
        return asker.once(("schema",), SCHEMA_S, lambda: _schema(asker))
    except WeirError:
        return {}


def _schema(asker: Asker) -> dict[str, list[tuple[str, str]]]:
    rows = asker.ask(lambda client: client.query(COLUMNS).result_rows)
    return {str(table): [(str(name), str(kind)) for name, kind in columns] for table, columns in rows}


def functions(asker: Asker) -> list[str]:
    """Names of the engine's own functions, without other names of the same; none while ClickHouse does not say."""
    try:
        return asker.once(("functions",), SCHEMA_S, lambda: _functions(asker))
    except WeirError:
        return []


def _functions(asker: Asker) -> list[str]:
    return [str(name) for (name,) in asker.ask(lambda client: client.query(FUNCTIONS).result_rows)]
