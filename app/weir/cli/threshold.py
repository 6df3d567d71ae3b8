"""`weir threshold`: which threshold would have cost least."""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated

import typer

from weir.cli.arguments import Command, check_service, reached
from weir.cli.output import AsJson, say, show_json
from weir.cli.times import time_of, time_or_now

HALF_A_YEAR = timedelta(days=182)

cli = typer.Typer(no_args_is_help=True, help="Choose the threshold of a service that decides between two classes.")


@cli.callback()
def _group() -> None:
    pass


@cli.command("suggest", cls=Command)
def suggest(
    service: Annotated[str, typer.Argument(help="The scoring service.", metavar="SERVICE")],
    miss_cost: Annotated[float, typer.Option(help="What it costs to miss a positive one.", min=0)],
    false_alarm_cost: Annotated[float, typer.Option(help="What it costs to flag a negative one.", min=0)],
    capacity: Annotated[
        float | None, typer.Option(help="Alerts a day that can be looked at; by default any number.", min=0)
    ] = None,
    since: Annotated[str, typer.Option(help="From this day of the requests on; by default half a year ago.")] = "",
    until: Annotated[str, typer.Option(help="Before this day; by default today.")] = "",
    maturity: Annotated[
        float, typer.Option(help="Share of a day's outcomes that must be in, or the day is left out.", min=0, max=1)
    ] = 0.9,
    as_json: AsJson = False,
) -> None:
    """Suggest the threshold that would have cost least over past days whose outcomes are known.

    Days are drawn again and again to say how sure that is. Where they cannot tell, it says so and ends with 1.
    """
    from weir.edges.clickhouse.client import connect
    from weir.operations import threshold

    settings = reached()
    client = connect(settings.recording)
    check_service(service, settings, client)
    end = _day(time_or_now(until, "--until"))
    found = threshold.suggest(
        client,
        service,
        begin=_day(time_of(since, "--since")) if since else end - HALF_A_YEAR,
        end=end,
        miss=miss_cost,
        false_alarm=false_alarm_cost,
        capacity=math.inf if capacity is None else capacity,
        maturity=maturity,
    )
    of = found.suggestion
    if as_json:
        figures = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(of).items()
        }
        show_json(
            figures | {"flags_nothing": math.isinf(of.threshold), "present": found.present, "immature": found.immature}
        )
    else:
        if not math.isnan(of.threshold):
            say(
                f"threshold {_bar(of.threshold)} (95 %: {_bar(of.low)} to {_bar(of.high)}); in use is {found.present:g}"
            )
            say(f"costs {of.cost:,.2f} a day, that in use {of.present_cost:,.2f}; alerts a day {of.alerts:,.1f}")
            interval = f"(95 %: {of.saving_low:,.2f} to {of.saving_high:,.2f})"
            say(f"saves {of.saving:,.2f} a day {interval} on days that it was not chosen on")
        say(f"by {of.days:,} days; {found.immature:,} days are left out, since too few of their outcomes are in")
        for doubt in of.doubts:
            say(f"it cannot be told: {doubt}")
    if of.doubts:
        raise typer.Exit(1)


def _bar(threshold: float) -> str:
    return "above all: flag nothing" if math.isinf(threshold) else f"{threshold:.3f}"


def _day(time: datetime) -> datetime:
    """The beginning of a day, UTC."""
    return time.replace(hour=0, minute=0, second=0, microsecond=0)
