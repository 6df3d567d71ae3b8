"""Whether a user of ClickHouse may do more than read: asked by statements that change nothing, whoever may run them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from clickhouse_connect.driver import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from weir.core.errors import Refused
from weir.edges.clickhouse.client import NO_ACCESS, RETRIABLE, answering, url_of

RECIPE: Final = "infra/clickhouse/reader.xml"
READONLY: Final = 164
# What reaches beyond the tables; only planned, so that nothing is opened. Port 9 of this machine answers nobody.
OUTSIDE: Final = {
    "read files": "EXPLAIN SELECT * FROM file('weir-nothing.csv', 'CSV', 'a String')",
    "ask other addresses": "EXPLAIN SELECT * FROM url('http://127.0.0.1:9/', 'CSV', 'a String')",
}
# What changes the database that is asked; whoever is granted reading alone has none, whatever it may set.
CHANGES: Final = {"insert": "INSERT", "create": "CREATE TABLE", "alter": "ALTER TABLE", "drop": "DROP TABLE"}
LIMITS: Final = ("max_execution_time", "max_memory_usage", "max_result_rows")
SETTINGS: Final = """
    SELECT name, value, readonly, ifNull(min, '') AS least, ifNull(max, '') AS most FROM system.settings
    WHERE name IN {names:Array(String)}
"""


@dataclass(frozen=True, slots=True)
class Rights:
    """What a user may do that a reader need not. beyond: such as "read files". unbounded: limits without an end."""

    beyond: tuple[str, ...]
    unbounded: tuple[str, ...]


def rights(client: Client) -> Rights:
    """Those of the user that a client asks as. Raises Unavailable."""
    with answering(url_of(client)):
        rows = client.query(SETTINGS, parameters={"names": ["readonly", *LIMITS]}).named_results()
        said = {str(row["name"]): row for row in rows}
        is_held = _number(said["readonly"]["value"]) > 0
        writes = [] if is_held else [what for what, right in CHANGES.items() if _granted(client, right)]
        beyond = [what for what, statement in OUTSIDE.items() if _may(client, statement)]
    return Rights((*writes, *beyond), tuple(name for name in LIMITS if not _holds(said[name])))


def only_reads(client: Client, user: str) -> tuple[str, ...]:
    """The limits that a user lacks or may lift. Raises Refused where it may do more than read; Unavailable."""
    found = rights(client)
    if found.beyond:
        what = f"ClickHouse's user {user} may {', '.join(found.beyond)}, and whoever sees the console with it"
        remedy = f"let WEIR_CLICKHOUSE_READER name one that only reads; {RECIPE} makes one"
        raise Refused(what, where=url_of(client), remedy=remedy)
    return found.unbounded


def _may(client: Client, statement: str) -> bool:
    """Whether a user may ask that. Raises the driver's error where nobody has looked at it: of a busy server's."""
    try:
        client.query(statement)
    except DatabaseError as error:
        if error.code in (READONLY, NO_ACCESS):
            return False
        if error.code is None or error.code in RETRIABLE:
            raise
    return True


def _granted(client: Client, right: str) -> bool:
    """Whether a right is granted; True of a server that cannot tell. Raises the driver's error of one that is busy."""
    try:
        return str(client.command(f"CHECK GRANT {right} ON *")) != "0"
    except DatabaseError as error:
        if error.code is None or error.code in RETRIABLE:
            raise
    return True


def _holds(setting: dict[str, Any]) -> bool:
    """Whether a limit is one, and stays one whatever a statement says: 0 is no limit, and no maximum forbids it."""
    if _number(setting["value"]) == 0:
        return False
    return bool(setting["readonly"]) or (_number(setting["least"]) > 0 and _number(setting["most"]) > 0)


def _number(text: Any) -> float:
    return float(text or 0)
