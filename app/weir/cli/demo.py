"""`weir demo`: the whole system on real flights."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from weir.edges.embedded.stack import Stack

LOOK_EVERY_S = 1.0  # how late the end of a service is noticed
YEAR_END = 1_000_000  # more than there are


def demo(
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the report there as JSON too.", dir_okay=False)
    ] = None,
    flights: Annotated[int, typer.Option(min=1, help="Flights to replay, from 1 July on; default: all.")] = YEAR_END,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep it running at the end, with the console, until Ctrl-C.")
    ] = False,
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
    from weir.operations import local
    from weir.settings import load

    planted = tuple(Plant.of(text) for text in plants or ())
    console = Console()

    def told(done: run.Run) -> None:
        report.show(done, console)
        if json_path is not None:
            json_path.write_text(json.dumps(report.to_json(done), indent=2) + "\n")

    def kept(done: run.Run, stack: Stack) -> None:
        told(done)
        pages = local.Console(stack)
        pages.wait_ready()
        console.print(f"the console is on {pages.address}{run.window(stack)}", soft_wrap=True, highlight=False)
        console.print("Ctrl-C ends it, and removes what the replay has left", style="dim")
        _wait(stack)

    with steps(console) as progress:
        done = run.run(
            project.settled(load()),
            flights,
            progress,
            lambda line: console.print(line, style="dim", highlight=False),
            planted,
            kept if keep else None,
        )
    if not keep:
        told(done)
    if report.faults(done):
        raise typer.Exit(1)


def _wait(stack: Stack) -> None:
    """Until Ctrl-C, or SIGTERM. Raises Unavailable where something has ended by itself."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    pause = threading.Event()
    try:
        while not pause.wait(LOOK_EVERY_S):
            stack.check()
    except KeyboardInterrupt:
        return
