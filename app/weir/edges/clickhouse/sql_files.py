"""SQL as files: sql/<folder>/<name>.sql, a header of "-- key: value" lines, typed parameters `{service:String}`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
from clickhouse_connect.driver import Client

from weir.edges.clickhouse.client import answering, url_of

FOLDER = Path(__file__).resolve().parents[2] / "sql"
HEADER = re.compile(r"^-- (\w+): (.*)$")
PART = re.compile(r"^(?P<indent> *+)(?P<before>.*)<(?P<name>\w+): (?P<given>(?:->|[^<>])+)>", re.MULTILINE)
PARAMETER = re.compile(r"\{(\w+):")
NO_QUERIES = frozenset({"cells", "migrations", "parts", "views"})  # folders of statements that are not asked


@dataclass(frozen=True, slots=True)
class Query:
    """One file: its name ("ledger/partitions"), its "-- key: value" lines, and the parameters that it asks for."""

    name: str
    header: Mapping[str, str]
    text: str
    parameters: frozenset[str]


@cache
def load(name: str) -> Query:
    """The query of sql/<name>.sql. Raises FileNotFoundError."""
    return read(FOLDER / f"{name}.sql", name)


def read(path: Path, name: str) -> Query:
    """The query of any file. Raises FileNotFoundError."""
    text = path.read_text(encoding="utf-8")
    header: dict[str, str] = {}
    for line in text.splitlines():
        found = HEADER.match(line)
        if not found:
            break
        header[found[1]] = found[2]
    text = whole(text)
    return Query(name, header, text, frozenset(PARAMETER.findall(text)))


def whole(text: str) -> str:
    """A statement with its parts put in: FROM <name: one = a; other = b> reads sql/parts/<name>.sql, where <one> is a.

    What several statements share is written once so, and costs less than a view: ClickHouse looks through the text of a
    view with parameters again at each level. Raises FileNotFoundError.
    """
    while found := PART.search(text):
        part = (FOLDER / "parts" / f"{found['name']}.sql").read_text(encoding="utf-8")
        for given in found["given"].split("; "):
            name, _, value = given.partition(" = ")
            part = part.replace(f"<{name}>", value)
        inner = "\n".join(f"{found['indent']}    {line}".rstrip() for line in part.splitlines())
        put = f"{found['indent']}{found['before']}\n{found['indent']}(\n{inner}\n{found['indent']})"
        text = text[: found.start()] + put + text[found.end() :]
    return text


def table(client: Client, name: str, **parameters: Any) -> pa.Table:
    """The answer as Arrow columns. Parameters are bound by the server, never put into the text.

    Raises Unavailable, Refused; TypeError when the parameters are not the ones that the file asks for.
    """
    query = load(name)
    if query.parameters != parameters.keys():
        raise TypeError(f"{name}.sql takes {sorted(query.parameters)}, not {sorted(parameters)}")
    with answering(url_of(client)):
        return client.query_arrow(query.text, parameters=parameters, use_strings=True)


def rows(client: Client, name: str, **parameters: Any) -> list[dict[str, Any]]:
    """The same as one dict a row; for answers of a few rows."""
    found: list[dict[str, Any]] = table(client, name, **parameters).to_pylist()
    return found
