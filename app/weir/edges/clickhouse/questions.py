"""Questions of a person: any SELECT, or a query that Weir brings, as Arrow columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa
from clickhouse_connect.driver import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from weir.core.errors import Refused
from weir.core.times import BEGINNING, END
from weir.edges.clickhouse import sql_files
from weir.edges.clickhouse.client import RETRIABLE, answering, said

# A statement that writes is refused by the server; settings may be set, since the driver sets its own.
READING: Final = {"readonly": 2}
READONLY: Final = 164  # of a statement that writes; elsewhere of a server that takes none for a while
ANYTIME: Final[Mapping[str, Any]] = {"service": "", "from": BEGINNING, "to": END}


def brought() -> list[dict[str, str]]:
    """Name, title and parameters of every query that a person can ask by name."""
    queries = [sql_files.load(str(path.relative_to(sql_files.FOLDER).with_suffix(""))) for path in _files()]
    return [
        {"name": one.name, "title": one.header.get("title", ""), "parameters": ", ".join(sorted(one.parameters))}
        for one in queries
        if one.parameters <= ANYTIME.keys()
    ]


def named(client: Client, name: str, given: Mapping[str, str], limit: int) -> pa.Table:
    """The answer of a query of Weir's, `limit` rows at most. Raises Unavailable, Refused.

    given: its parameters; those that are not given are as in ANYTIME.
    """
    found = next((one for one in brought() if one["name"] == name), None)
    if found is None:
        raise Refused(f"there is no query {name}", remedy="`weir query` lists those that there are")
    query = sql_files.load(name)
    if unknown := given.keys() - query.parameters:
        raise Refused(
            f"{name} takes no {', '.join(sorted(unknown))}", remedy=f"it takes {found['parameters'] or 'none'}"
        )
    asked = {one: given.get(one, ANYTIME[one]) for one in query.parameters}
    return _ask(client, query.text, asked, limit)


def free(client: Client, sql: str, given: Mapping[str, str], limit: int) -> pa.Table:
    """The answer to a statement, `limit` rows at most. Raises Unavailable; Refused, as the server words it."""
    return _ask(client, sql, given, limit)


def _ask(client: Client, sql: str, parameters: Mapping[str, Any], limit: int) -> pa.Table:
    bounded, where = READING | {"limit": limit}, str(getattr(client, "url", "ClickHouse"))
    with answering(where):
        try:
            return client.query_arrow(sql, parameters=dict(parameters), settings=bounded, use_strings=True)
        except DatabaseError as error:
            if error.code in RETRIABLE - {READONLY}:
                raise
            raise Refused(
                f"ClickHouse refuses the question: {said(error)}", where=where, remedy="mend the SQL"
            ) from error


def _files() -> list[Any]:
    return sorted(path for path in sql_files.FOLDER.glob("*/*.sql") if path.parent.name != "migrations")
