"""`weir demo`: the whole system on real flights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

YEAR_END = 1_000_000  # more than there are


def demo(
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the report there as JSON too.", dir_okay=False)
    ] = None,
    flights: Annotated[int, typer.Option(min=1, help="Flights to replay, from 1 July on; default: all.")] = YEAR_END,
    plants: Annotated[
        list[str] | None,
        typer.Option(
            "--plant",
            metavar="FAULT",
            help="Plant a fault, and say when it was noticed: feature:temp@2013-10-01, a feed that changes its unit; "
            "label@2013-11-01, outcomes that come to mean something else. Repeat it for more.",
        ),
    ] = None,
) -> None:
    """Train a model, replay real flights through Kafka, join their outcomes, and account for every request."""
    from weir.cli.progress import steps
    from weir.demo import project, report, run
    from weir.demo.plant import Plant
    from weir.settings import load

    planted = tuple(Plant.of(text) for text in plants or ())
    console = Console()
    with steps(console) as progress:
        done = run.run(
            project.settled(load()),
            flights,
            progress,
            lambda line: console.print(line, style="dim", highlight=False),
            planted,
        )
    report.show(done, console)
    if json_path is not None:
        json_path.write_text(json.dumps(report.to_json(done), indent=2) + "\n")
    if report.faults(done):
        raise typer.Exit(1)
