"""`weir baseline`: windows of production that later ones are compared with."""

from __future__ import annotations

import getpass
import socket
from typing import Annotated

import typer

from weir.cli.arguments import Command, check_service, reached
from weir.cli.output import AsJson, Column, say, show, show_json
from weir.cli.times import time_of

cli = typer.Typer(no_args_is_help=True, help="Keep windows of production, to compare later ones with.")


@cli.command(cls=Command)
def capture(
    name: Annotated[str, typer.Argument(help="How `weir monitors run --baseline` will name it.", metavar="NAME")],
    service: Annotated[str, typer.Option(help="The scoring service.")],
    begin: Annotated[str, typer.Option("--from", help="From this event time on, ISO 8601, UTC.")],
    end: Annotated[str, typer.Option("--to", help="Before this event time.")],
    as_json: AsJson = False,
) -> None:
    """Keep how inputs, scores and decisions were distributed in a window of production. It never changes after that."""
    from weir.edges.clickhouse import baselines
    from weir.edges.clickhouse.client import connect

    settings = reached()
    client = connect(settings.recording)
    check_service(service, settings, client)
    by = f"{getpass.getuser()}@{socket.gethostname()}"
    found = baselines.capture(client, name, service, time_of(begin, "--from"), time_of(end, "--to"), by)
    if as_json:
        show_json(found)
        return
    say(f"captured {name}: {found['predictions']:,} predictions of {service}, {found['names']} inputs and figures")


@cli.command("list")
def list_(
    service: Annotated[str, typer.Option(help="One scoring service; by default all.")] = "", as_json: AsJson = False
) -> None:
    """Show the baselines that were captured. Each bundle has one more, its own: reference."""
    from weir.edges.clickhouse import baselines
    from weir.edges.clickhouse.client import connect

    found = baselines.listed(connect(reached().recording), service)
    headings = ("service", "id", "predictions", "names", "from", "to", "by")
    show(found, [Column(one, one, name=one in ("service", "id")) for one in headings], as_json=as_json)
