"""`weir status` and `weir watch`: is all well, and if not, what, for whom and since when?"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from weir.cli.arguments import check_service, reached
from weir.cli.output import UNBOUNDED, AsJson, show_json
from weir.cli.times import span_of, time_or_now

if TYPE_CHECKING:
    from weir.operations.budgets import Budgets
    from weir.operations.overview import Overview

Lasting = Annotated[str, typer.Option("--range", help="The last so much time, such as 1h or 7d.")]
OfService = Annotated[str, typer.Option("--service", help="One scoring service; by default all of them.")]


def status(
    lasting: Lasting = "24h",
    service: OfService = "",
    at: Annotated[str, typer.Option("--at", help="The time before this one, ISO 8601, UTC; by default now.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show on one screen whether every request is accounted for, what needs somebody, and how each service does.

    Exit status 1 while an alert fires or offsets are missing.
    """
    from weir.cli import status_page
    from weir.edges.clickhouse.client import connect
    from weir.operations import budgets, overview

    span_s, end = span_of(lasting, "--range"), time_or_now(at, "--at")
    settings = reached()
    client = connect(settings.recording)
    check_service(service, settings, client)
    left = budgets.look(client, settings, end, service)
    seen = overview.look(client, *overview.steps(span_s, end), service, left.left)
    if as_json:
        show_json(overview.plain(seen))
    else:
        console = page_console()
        console.print(status_page.page(seen, lasting, console.width))
    for refused in left.refused:
        typer.echo(f"weir: {refused}", err=True)
    if not seen.in_order:
        raise typer.Exit(1)


def watch(
    lasting: Lasting = "24h",
    service: OfService = "",
    every: Annotated[float, typer.Option(help="Seconds between looks.", min=0.5, max=3600)] = 2.0,
) -> None:
    """Keep that screen open and up to date; q or Ctrl-C ends it. In a pipe it is a line a look.

    Where ClickHouse goes away it says so and keeps what was seen last, until ClickHouse is back.
    """
    from weir.cli.keys import Keys
    from weir.cli.watch import Watch
    from weir.edges.clickhouse.client import connect
    from weir.operations import budgets, overview

    span_s, settings = span_of(lasting, "--range"), reached()
    check_service(service, settings, connect(settings.recording))

    def left(now: datetime) -> Budgets:
        return budgets.look(connect(settings.recording), settings, now, service)

    remembered = budgets.Remembered(left)

    def look() -> Overview:
        now = datetime.now(UTC)
        client = connect(settings.recording)
        return overview.look(client, *overview.steps(span_s, now), service, remembered.at(now).left)

    with Keys(sys.stdin) as keys:
        Watch(look, lasting).run(Console(highlight=False), keys, every)


def page_console() -> Console:
    """As wide as the terminal, and in a pipe as wide as it wants; COLUMNS says otherwise."""
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in console._environ:
        return Console(highlight=False, width=UNBOUNDED)
    return console
