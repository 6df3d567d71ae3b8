"""`weir query`: a question to ClickHouse, by the SQL of a user or one that Weir brings."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

import typer

from weir.cli.arguments import reached
from weir.cli.output import AsJson, Column, say, show, show_csv

NUMBERS = ("Int", "UInt", "Float", "Decimal", "Nullable(Int", "Nullable(UInt", "Nullable(Float", "Nullable(Decimal")
WORD = re.compile(r"[\w/.-]+")  # no SQL is one word


def query(
    sql: Annotated[
        str, typer.Argument(metavar="SQL|NAME", help="A SELECT, or the name of a query of the project's or of Weir's.")
    ] = "",
    parameter: Annotated[
        list[str] | None, typer.Option("--param", help="NAME=VALUE for {NAME:Type} in the SQL; repeat for more.")
    ] = None,
    limit: Annotated[int, typer.Option(help="Rows to print at most.", min=1, max=1_000_000)] = 1000,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
) -> None:
    """Ask ClickHouse and print the answer. Without a question, list the queries of the project and of Weir.

    The statement may only read. A query takes --param service=, from= and to= where it asks for them; without them it
    is about all services and all times. Queries of the project are the .sql files in its folders queries, monitors; a
    monitor takes --param service=, from=, to= and step=, and is of the last day and the only service without them.
    """
    from weir.edges.clickhouse import questions
    from weir.edges.clickhouse.client import connect
    from weir.settings import load

    if as_json and as_csv:
        raise typer.BadParameter("give --json or --csv, not both")
    if not sql:
        brought = questions.brought(load())
        show(brought, (Column("name", "name", name=True), Column("title", "title")), as_json=as_json)
        return
    given = dict(_pair(text) for text in parameter or ())
    settings = reached()
    client = connect(settings.recording)
    if WORD.fullmatch(sql):
        found = questions.named(client, sql, given, limit + 1, settings)
    else:
        found = questions.free(client, sql, given, limit + 1)
    rows = [dict(zip(found.columns, row, strict=True)) for row in found.rows[:limit]]
    if as_csv:
        show_csv(rows, found.columns)
        return
    columns = [
        Column(name, name, _text, right=kind.startswith(NUMBERS))
        for name, kind in zip(found.columns, found.types, strict=True)
    ]
    show(rows, columns, as_json=as_json)
    if len(found.rows) > limit and not as_json:
        say(f"the first {limit:,} rows; more with --limit")


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise typer.BadParameter(f"--param {text!r} is not NAME=VALUE")
    return name, value


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(" ", "milliseconds").removesuffix("+00:00")
    return f"{value:.7g}" if isinstance(value, float) else str(value)
