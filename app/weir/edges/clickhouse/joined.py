"""Predictions with what came true of them, joined once for all monitors that ask about the same time.

The view results_<service> joins anew for whoever reads it. A round has many monitors of one window, so what they read
of the view is put into a temporary table, which they read instead. It lies on the disk: a window may hold any number of
predictions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, Final, NamedTuple

from clickhouse_connect.driver import Client

from weir.core.errors import Refused, Unavailable
from weir.edges.clickhouse.client import answering, url_of, within_memory, written
from weir.edges.clickhouse.results import view_of
from weir.monitor.header import uncommented
from weir.monitor.spec import Asked, Monitor

NAME: Final = "joined"
IDLE_S: Final = "3600"  # ClickHouse's most: the table goes with its session, however the worker ends
# Of the project's monitors those alone that ask about this time and no other, so that nothing lies outside the table.
THE_TIME: Final = re.compile(r"event_time\s*>=\s*\{from:[^{}]+\}\s+AND\s+event_time\s*<\s*\{to:[^{}]+\}", re.IGNORECASE)
OTHER_TIMES: Final = frozenset({"base_from", "base_to", "shadow_results"})
ALL_COLUMNS: Final = re.compile(r"(SELECT|DISTINCT|,)\s*(\w+\.)?\*|COLUMNS\s*\(", re.IGNORECASE)
MAKE: Final = """
    CREATE TEMPORARY TABLE {name:Identifier} ENGINE = MergeTree ORDER BY tuple() AS
    SELECT %s FROM {view:Identifier} WHERE event_time >= {from:DateTime('UTC')} AND event_time < {to:DateTime('UTC')}
"""
DROP: Final = "DROP TEMPORARY TABLE IF EXISTS {name:Identifier}"


class Table(NamedTuple):
    """What a monitor reads instead of the view, and the settings under which a statement sees it."""

    name: str
    settings: Mapping[str, str]


class Joined:
    """Of one service. The table is made when the first monitor asks, and anew when one asks about another time.

    monitors: those that will ask; of fewer than two that can share a join, none is shared. session: a name that nobody
    else uses at the same time.
    """

    def __init__(self, client: Client, session: str, service: str, monitors: Iterable[Monitor]) -> None:
        self._client, self._view = client, view_of(service)
        self._settings = {"session_id": session, "session_timeout": IDLE_S}
        sharing = {one.name: one.sql for one in monitors if shares(one)}
        self._sql = sharing if len(sharing) > 1 else {}
        self._columns: list[str] = []
        self._time: tuple[datetime, datetime] | None = None

    def table(self, monitor: Monitor, asked: Asked) -> Table | None:
        """The table over the time asked about; None for a monitor that reads the view. Raises Unavailable, Refused."""
        if monitor.name not in self._sql:
            return None
        if self._time != (asked.begin, asked.end):
            self.drop()
            self._make(asked)
        return Table(NAME, self._settings)

    def drop(self) -> None:
        """Let go of the table. Raises Unavailable, Refused."""
        if self._time is not None:
            self._time = None
            self._command(DROP)

    def _make(self, asked: Asked) -> None:
        self._columns = self._columns or self._asked_for()
        time = {"from": written(asked.begin), "to": written(asked.end)}
        self._command(DROP)
        self._command(MAKE % ", ".join(self._columns), view=self._view, **time)
        self._time = (asked.begin, asked.end)

    def _asked_for(self) -> list[str]:
        """Columns of the view whose names are in the text of a monitor."""
        with answering(url_of(self._client)):
            found = self._client.query("DESCRIBE TABLE {view:Identifier}", parameters={"view": self._view})
        words = {word for text in self._sql.values() for word in re.findall(r"\w+", uncommented(text))}
        return [str(row[0]) for row in found.result_rows if row[0] in words]

    def _command(self, statement: str, **parameters: Any) -> None:
        with answering(url_of(self._client)), within_memory("joining predictions with outcomes"):
            self._client.command(statement, parameters={"name": NAME, **parameters}, settings=dict(self._settings))


@contextmanager
def joining(client: Client, session: str, service: str, monitors: Iterable[Monitor]) -> Iterator[Joined]:
    """What these monitors share; dropped afterwards, or by ClickHouse an hour after it was last read."""
    joined = Joined(client, session, service, monitors)
    try:
        yield joined
    finally:
        with suppress(Unavailable, Refused):
            joined.drop()


def shares(monitor: Monitor) -> bool:
    """Whether a monitor reads of the view nothing but named columns of the time that is asked about."""
    if "results" not in monitor.parameters or OTHER_TIMES & monitor.parameters.keys():
        return False
    if not monitor.own or monitor.like:
        return True
    text = uncommented(monitor.sql)
    times = len(re.findall(r"\{(?:from|to):", text))
    return times == 2 * len(THE_TIME.findall(text)) == 2 and not ALL_COLUMNS.search(text)
