"""Questions of a person: any SELECT, or a query that Weir brings, and its rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from clickhouse_connect.driver import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from weir.core.errors import Refused
from weir.core.times import BEGINNING, END
from weir.edges.clickhouse import ledger, monitors, sql_files
from weir.edges.clickhouse.client import RETRIABLE, answering, reads_only, said, settable, url_of
from weir.monitor import header
from weir.monitor.spec import Asked, Monitor
from weir.settings import Settings

# A statement that writes is refused by the server; settings may be set, since the driver sets its own.
READING: Final = {"readonly": 2}
READONLY: Final = 164  # of a statement that writes; elsewhere of a server that takes none for a while
SYNTAX: Final = 62
TOO_MUCH: Final = frozenset({159, 241})  # time, memory: of this statement, which ends by itself no sooner next time
FORMAT: Final = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)  # the driver puts its own behind it
EVIDENCE: Final = "diagnose/"  # queries that `weir diagnose` names, with all their parameters
OF_MONITORS: Final = frozenset({"service", "from", "to", "step"})  # what every monitor is asked by
ANYTIME: Final[Mapping[str, Any]] = {"service": "", "from": BEGINNING, "to": END}


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows of an answer. types: ClickHouse's, by column."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: Sequence[Sequence[Any]]


def brought(settings: Settings) -> list[dict[str, str]]:
    """Name, title and parameters of every query that a person can ask by name."""
    return [
        {"name": one.name, "title": one.header.get("title", ""), "parameters": ", ".join(sorted(one.parameters))}
        for one in _known_queries(settings).values()
    ]


def named(client: Client, name: str, given: Mapping[str, str], limit: int, settings: Settings) -> Answer:
    """The answer of a query of the project's or of Weir's, `limit` rows at most. Raises Unavailable, Refused.

    given: its parameters; those that are not given are as in ANYTIME, and of a monitor as it is asked of the last day.
    """
    queries = _known_queries(settings)
    if name.startswith(EVIDENCE):
        queries |= {one.name: one for one in _in(sql_files.FOLDER) if one.name == name}
    if name not in queries:
        names = list(queries)
        near = [one for one in names if name in one] or get_close_matches(name, names, 1)
        meant = f"did you mean {near[0]}? " if near else ""
        remedy = f"{meant}`weir query` lists those that there are; for a table write SELECT * FROM {name} LIMIT 10"
        raise Refused(f"there is no query {name}", remedy=remedy)
    query, known = queries[name], monitors.looked(settings)[0]
    _known(query.parameters | OF_MONITORS if name in known else query.parameters, given)
    if name in known:
        return _ask(client, query.text, _of_monitor(client, known[name], given), limit, monitors.ASKING)
    if lacking := sorted(query.parameters - given.keys() - ANYTIME.keys()):
        raise Refused(f"query {name} needs {', '.join(lacking)}", remedy=f"give --param {lacking[0]}=VALUE")
    return _ask(client, query.text, {one: given.get(one, ANYTIME.get(one)) for one in query.parameters}, limit)


def _of_monitor(client: Client, monitor: Monitor, given: Mapping[str, str]) -> dict[str, Any]:
    """What is bound to a monitor's parameters. Raises Unavailable, Refused."""
    service = given.get("service") or _only(client, monitor)
    try:
        end = datetime.fromisoformat(given["to"]) if "to" in given else datetime.now(UTC).replace(microsecond=0)
        begin = datetime.fromisoformat(given["from"]) if "from" in given else end - timedelta(days=1)
        step_s = int(given.get("step", monitor.window_s))
    except ValueError as error:
        remedy = "write times in ISO 8601, such as 2026-01-31T12:00, and step in seconds"
        raise Refused(f"query {monitor.name} cannot be asked so: {error}", remedy=remedy) from error
    asked = Asked(service=service, begin=_utc(begin), end=_utc(end), step_s=step_s)
    texts = {name: text for name, text in given.items() if name not in OF_MONITORS}
    return monitors.parameters(client, monitor, asked) | texts


def _only(client: Client, monitor: Monitor) -> str:
    """The service of which something is recorded. Raises Unavailable; Refused where there are others, or none."""
    found = ledger.services(client)
    if len(found) != 1:
        there = f"there are {', '.join(found)}" if found else "nothing is recorded of any"
        raise Refused(f"query {monitor.name} is about one service", remedy=f"give --param service=NAME: {there}")
    return found[0]


def _utc(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def free(client: Client, sql: str, given: Mapping[str, str], limit: int) -> Answer:
    """The answer to a statement, `limit` rows at most. Raises Unavailable; Refused, as the server words it."""
    _known(frozenset(sql_files.PARAMETER.findall(sql)), given)
    return _ask(client, sql, given, limit)


def _known(asked: frozenset[str], given: Mapping[str, str]) -> None:
    """Raises Refused for a parameter that is not asked for: the driver would put it into the text by itself."""
    if unknown := sorted(given.keys() - asked):
        takes = f"it takes {', '.join(sorted(asked)) or 'none'}"
        raise Refused(f"the question takes no {', '.join(unknown)}", remedy=f"{takes}; write {{NAME:Type}} in the SQL")


def _ask(
    client: Client, sql: str, parameters: Mapping[str, Any], limit: int, settings: Mapping[str, Any] = READING
) -> Answer:
    bounded = settable(client, {**settings, **({} if reads_only(client) else {"limit": limit})})
    rows: list[Sequence[Any]] = []
    with answering(url_of(client)):
        try:
            with client.query_row_block_stream(sql, parameters=dict(parameters), settings=bounded) as blocks:
                found = blocks.source
                for block in blocks:  # a user who may not say `limit` is sent more, and what is too much is left unread
                    rows += block
                    if len(rows) >= limit:
                        break
        except DatabaseError as error:
            if error.code in TOO_MUCH:
                what = f"the question takes more than it may: {said(error)}"
                raise Refused(what, where=url_of(client), remedy="ask of less: a shorter time, fewer rows") from error
            if error.code in RETRIABLE - {READONLY}:
                raise
            if error.code == SYNTAX and (named := FORMAT.search(sql)):
                remedy = f"leave FORMAT {named[1]} out: `weir query` prints a table, CSV by --csv, JSON by --json"
                raise Refused("the question says in which format it is answered", remedy=remedy) from error
            what = f"ClickHouse refuses the question: {said(error)}"
            raise Refused(what, where=url_of(client), remedy="mend the SQL") from error
    return Answer(found.column_names, tuple(kind.name for kind in found.column_types), rows[:limit])


def _known_queries(settings: Settings) -> dict[str, sql_files.Query]:
    """Queries by name, those of the project first, then Weir's monitors, and queries that ask for ANYTIME at most."""
    watched = _in(monitors.FOLDER)
    brought = [
        one
        for one in _in(sql_files.FOLDER)
        if one.name.split("/")[0] not in {*sql_files.NO_QUERIES, monitors.FOLDER.name}
        and one.parameters <= ANYTIME.keys()
    ]
    own = (*_in(settings.paths.queries_dir), *_own_monitors(settings))
    first = {one.name: one for one in own}
    return first | {one.name: one for one in (*watched, *brought) if one.name not in first}


def _own_monitors(settings: Settings) -> Iterator[sql_files.Query]:
    """Of the project; those that are like one of Weir's with its SQL."""
    for one in _in(settings.paths.monitors_dir):
        if "like" not in one.header:
            yield one
        elif (found := monitors.looked(settings)[0].get(one.name)) is not None:
            yield sql_files.Query(one.name, header.lines(found.sql), found.sql, frozenset(found.parameters))


def _in(folder: Path) -> list[sql_files.Query]:
    """Every query of a folder, which may be missing."""
    paths = sorted(folder.rglob("*.sql"))
    return [sql_files.read(path, path.relative_to(folder).with_suffix("").as_posix()) for path in paths]
