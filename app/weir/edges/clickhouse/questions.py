"""Questions of a person: any SELECT, or a query that Weir brings, and its rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from clickhouse_connect.driver import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from weir.core.errors import Refused
from weir.core.times import BEGINNING, END
from weir.edges.clickhouse import sql_files
from weir.edges.clickhouse.client import RETRIABLE, answering, said, url_of

# A statement that writes is refused by the server; settings may be set, since the driver sets its own.
READING: Final = {"readonly": 2}
READONLY: Final = 164  # of a statement that writes; elsewhere of a server that takes none for a while
SYNTAX: Final = 62
FORMAT: Final = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)  # the driver puts its own behind it
ANYTIME: Final[Mapping[str, Any]] = {"service": "", "from": BEGINNING, "to": END}


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows of an answer. types: ClickHouse's, by column."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: Sequence[Sequence[Any]]


def brought(monitors: Path) -> list[dict[str, str]]:
    """Name, title and parameters of every query that a person can ask by name.

    monitors: a folder with queries of the project; it may be missing.
    """
    return [
        {"name": one.name, "title": one.header.get("title", ""), "parameters": ", ".join(sorted(one.parameters))}
        for one in _known_queries(monitors).values()
    ]


def named(client: Client, name: str, given: Mapping[str, str], limit: int, monitors: Path) -> Answer:
    """The answer of a query of the project's or of Weir's, `limit` rows at most. Raises Unavailable, Refused.

    given: its parameters; those that are not given are as in ANYTIME.
    """
    queries = _known_queries(monitors)
    if name not in queries:
        names = list(queries)
        near = [one for one in names if name in one] or get_close_matches(name, names, 1)
        meant = f"did you mean {near[0]}? " if near else ""
        remedy = f"{meant}`weir query` lists those that there are; for a table write SELECT * FROM {name} LIMIT 10"
        raise Refused(f"there is no query {name}", remedy=remedy)
    query = queries[name]
    _known(query.parameters, given)
    if lacking := sorted(query.parameters - given.keys() - ANYTIME.keys()):
        raise Refused(f"query {name} needs {', '.join(lacking)}", remedy=f"give --param {lacking[0]}=VALUE")
    return _ask(client, query.text, {one: given.get(one, ANYTIME.get(one)) for one in query.parameters}, limit)


def free(client: Client, sql: str, given: Mapping[str, str], limit: int) -> Answer:
    """The answer to a statement, `limit` rows at most. Raises Unavailable; Refused, as the server words it."""
    _known(frozenset(sql_files.PARAMETER.findall(sql)), given)
    return _ask(client, sql, given, limit)


def _known(asked: frozenset[str], given: Mapping[str, str]) -> None:
    """Raises Refused for a parameter that is not asked for: the driver would put it into the text by itself."""
    if unknown := sorted(given.keys() - asked):
        takes = f"it takes {', '.join(sorted(asked)) or 'none'}"
        raise Refused(f"the question takes no {', '.join(unknown)}", remedy=f"{takes}; write {{NAME:Type}} in the SQL")


def _ask(client: Client, sql: str, parameters: Mapping[str, Any], limit: int) -> Answer:
    bounded = READING | {"limit": limit}
    with answering(url_of(client)):
        try:
            found = client.query(sql, parameters=dict(parameters), settings=bounded)
        except DatabaseError as error:
            if error.code in RETRIABLE - {READONLY}:
                raise
            if error.code == SYNTAX and (named := FORMAT.search(sql)):
                remedy = f"leave FORMAT {named[1]} out: `weir query` prints a table, CSV by --csv, JSON by --json"
                raise Refused("the question says in which format it is answered", remedy=remedy) from error
            what = f"ClickHouse refuses the question: {said(error)}"
            raise Refused(what, where=url_of(client), remedy="mend the SQL") from error
    return Answer(found.column_names, tuple(kind.name for kind in found.column_types), found.result_rows)


def _known_queries(monitors: Path) -> dict[str, sql_files.Query]:
    """Queries by name, those of the project first; of Weir's those that ask for nothing beside ANYTIME."""
    own = {path.stem: sql_files.read(path, path.stem) for path in sorted(monitors.glob("*.sql"))}
    files = sorted(path for path in sql_files.FOLDER.glob("*/*.sql") if path.parent.name not in sql_files.NO_QUERIES)
    names = [str(path.relative_to(sql_files.FOLDER).with_suffix("")) for path in files]
    return own | {one.name: one for one in map(sql_files.load, names) if one.parameters <= ANYTIME.keys()}
