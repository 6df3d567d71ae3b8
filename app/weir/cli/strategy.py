"""`weir strategy`: full retraining, fine-tuning or online learning, by what the record says."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape

from weir.cli.arguments import reached
from weir.cli.learners import Known
from weir.cli.output import AsJson, Column, say, show, show_json
from weir.cli.times import between, span_of


def strategy(
    service: Annotated[str, typer.Argument(help="The service.", metavar="SERVICE")],
    begin: Annotated[str, typer.Option("--from", help="Requests from this time on; by default all.")] = "",
    end: Annotated[str, typer.Option("--to", help="Before this time; by default now.")] = "",
    every: Annotated[str, typer.Option(help="Between two trainings, such as 30d.")] = "30d",
    known: Annotated[
        Known,
        typer.Option(help="An outcome is known when Weir received it, or, for those loaded later, when it occurred."),
    ] = Known.RECEIVED,
    as_json: AsJson = False,
) -> None:
    """Compare full retraining, fine-tuning and online learning of a service: loss, cost and staleness of each.

    Walked forward over the record, behind the first training, each on the same requests: nothing answers by an outcome
    that was not known then. Retraining is of LightGBM on all that is known; fine-tuning goes on from the last model
    with what is new; online are the learners of the project. Cost is the CPU time of learning, and by the price book
    money. Staleness is how old the newest outcome was that was known. The service's newest bundle is to be here.
    """
    from weir.edges.clickhouse.client import connect
    from weir.operations import strategy as ways

    start, stop = between(begin, end)
    settings = reached()
    done = ways.compare(
        connect(settings.recording),
        settings,
        service,
        begin=start,
        end=stop,
        every_s=span_of(every, "--every"),
        known=known.value,
    )
    if as_json:
        show_json(asdict(done))
        return
    money = any(one.cost is not None for one in done.ways)
    columns = (
        Column("strategy", "name", name=True),
        Column(done.figure.replace("_", " "), "loss", lambda value: f"{value:.4f}", right=True),
        Column("better by", "better_by", _number, right=True),
        Column("from", "low", _number, right=True),
        Column("to", "high", _number, right=True),
        Column("CPU s", "cpu_s", lambda value: f"{value:.2f}", right=True),
        *((Column(done.currency, "cost", lambda value: f"{value:.6f}", right=True),) if money else ()),
        Column("days behind", "stale_days", lambda value: f"{value:.2f}", right=True),
        Column("how", "note", wide=True),
    )
    show([asdict(one) for one in done.ways], columns, as_json=False)
    say(f"on {done.requests:,} requests of {done.days} days: {escape(done.verdict)}")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:+.5f}"
