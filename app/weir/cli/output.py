"""What commands print: a table for people, or JSON or CSV for programs.

A name is never cut, and no table is wider than the terminal: where it would be, its rows stand one below the other.
"""

from __future__ import annotations

import csv
import json
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Wide = Annotated[bool, typer.Option("--wide", help="Show every column.")]
UNBOUNDED = 10_000  # columns of a pipe or file: a line is as long as it needs to be
GAP = "  "
NARROWEST = 20  # columns that a value has beside its heading, however narrow the terminal

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    key: of the row. text: the cell's text of the value; "" for None by default.
    name: the cell is a name to copy, so it stands on one line. wide: shown with --wide only.
    """

    heading: str
    key: str
    text: Callable[[Any], str] = lambda value: "" if value is None else str(value)
    right: bool = False
    name: bool = False
    wide: bool = False


def show(rows: Sequence[Row], columns: Sequence[Column], *, title: str = "", as_json: bool, wide: bool = True) -> None:
    """Print the rows: everything that they hold as JSON, or these columns as a table."""
    if as_json:
        show_json(list(rows))
        return
    chosen = [column for column in columns if wide or not column.wide]
    table = Table(title=escape(title) or None, title_justify="left")
    for column in chosen:
        table.add_column(
            column.heading, justify="right" if column.right else "left", no_wrap=column.name, overflow="fold"
        )
    for row in rows:
        table.add_row(*(escape(column.text(row[column.key])) for column in chosen))
    show_table(table)


def show_table(table: Table) -> None:
    """Print a table no wider than the terminal; in a pipe as wide as it wants.

    Where a name does not fit into it, each row is printed as lines of heading and value, and names stay on one line.
    """
    console = Console()
    if not console.is_terminal and "COLUMNS" not in console._environ:
        console = Console(width=UNBOUNDED)
    needed = Measurement.get(console, console.options.update(max_width=UNBOUNDED), table).minimum
    if needed <= console.width:
        console.print(table)
        return
    if table.title:
        console.print(table.title, style="italic", soft_wrap=True)
    for line in _one_below_another(table, console.width):
        console.print(line, soft_wrap=True, highlight=False)


def _one_below_another(table: Table, width: int) -> Iterator[Text]:
    """The rows of a table as lines of at most `width` columns, but for words that are longer.

    A table without headings has them in its first columns: its last one is the value.
    """
    cells = [[_plain_text(cell) for cell in column.cells] for column in table.columns]
    if table.show_header:
        headings = [_plain_text(column.header) for column in table.columns]
        blocks = [list(zip(headings, row, strict=True)) for row in zip(*cells, strict=True)]
    else:
        blocks = [[(GAP.join(row[:-1]), row[-1]) for row in zip(*cells, strict=True)]]
    indent = max((len(heading) for block in blocks for heading, _ in block), default=0) + len(GAP)
    for number, block in enumerate(blocks):
        if number:
            yield Text()
        for heading, value in block:
            room = max(width - indent, NARROWEST)
            lines = textwrap.wrap(value, room, break_long_words=False, break_on_hyphens=False) or [""]
            yield Text.assemble((heading.ljust(indent), "bold"), lines[0])
            yield from (Text(" " * indent + line) for line in lines[1:])


def _plain_text(cell: Any) -> str:
    return Text.from_markup(cell).plain if isinstance(cell, str) else str(cell)


def show_json(value: Any) -> None:
    """Print a value as JSON; times in ISO 8601, everything else that JSON does not know as its text."""
    typer.echo(json.dumps(value, default=_plain, indent=1))


def show_line(value: Any) -> None:
    """Print a value as one line of JSON."""
    typer.echo(json.dumps(value, default=_plain))


def show_csv(rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Print these columns of the rows as CSV with a heading."""
    writer = csv.DictWriter(sys.stdout, columns)
    writer.writeheader()
    writer.writerows(rows)


def say(line: str) -> None:
    """Print a line of prose, which the terminal may wrap where it likes; markup is rich's."""
    Console().print(line, soft_wrap=True, highlight=False)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
