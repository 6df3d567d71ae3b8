"""`weir estimate`: how good predictions probably are before it is known what came true."""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

import typer

from weir.cli.arguments import check_service, reached
from weir.cli.output import AsJson, Column, say, show, show_json
from weir.cli.times import span_of, time_of, time_or_now

QUARTER = timedelta(days=91)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _share(value: float) -> str:
    return f"{value:.1%}"


def _right(heading: str, key: str) -> Column:
    return Column(heading, key, _figure, right=True)


COLUMNS = (
    Column("from", "begin", lambda time: f"{time:%Y-%m-%d %H:%M}", name=True),
    Column("figure", "figure", name=True),
    *(_right("estimate", "value"), _right("low", "low"), _right("high", "high"), _right("came true", "realised")),
    Column("outcomes", "maturity", _share, right=True),
    *(_right("past error", "error"), _right("past bias", "bias")),
    Column("doubts", "doubts", "; ".join),
)


def estimate(
    service: Annotated[str, typer.Argument(help="The scoring service.", metavar="SERVICE")],
    step: Annotated[str, typer.Option(help="Length of a window, such as 1d.")] = "1d",
    since: Annotated[str, typer.Option("--from", help="Learn from this time on; by default 91 days before --to.")] = "",
    until: Annotated[str, typer.Option("--to", help="Before this time of the requests; by default now.")] = "",
    last: Annotated[int, typer.Option(help="Windows to show, the newest.", min=1)] = 7,
    maturity: Annotated[
        float, typer.Option(help="Share of a window's outcomes that must be in for it to be true.", min=0, max=1)
    ] = 0.9,
    as_json: AsJson = False,
) -> None:
    """Estimate how good a service's predictions are where it is not known yet what came true.

    Each window is estimated from those before it, and how far such estimates were off says how far this one can be
    believed: its doubts are said. It takes it that what a score means does not change.
    """
    from weir.edges.clickhouse import estimates
    from weir.edges.clickhouse.client import connect

    step_s = span_of(step, "--step")
    end = time_or_now(until, "--to")
    begin = time_of(since, "--from") if since else end - QUARTER
    settings = reached()
    client = connect(settings.recording)
    check_service(service, settings, client)
    found = estimates.windows(client, service, begin=begin, end=end, step_s=step_s, maturity=maturity)
    shown = sorted({window.begin for window in found})[-last:]
    rows = [_row(window) for window in found if window.begin in shown]
    if as_json:
        show_json(rows)
    elif rows:
        show(rows, COLUMNS, as_json=False)
    else:
        say("no predictions in this time")


def _row(window: Any) -> dict[str, Any]:
    figures = {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in asdict(window.estimate).items()
    }
    return {"begin": window.begin, "figure": window.figure, "maturity": window.maturity} | figures
