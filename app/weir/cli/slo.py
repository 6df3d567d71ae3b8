"""`weir slo`: objectives of the project, their budgets, and what a history would have met."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weir.cli.arguments import Command, reached
from weir.cli.output import AsJson, Column, say, show
from weir.cli.times import span_of, time_of, time_or_now

if TYPE_CHECKING:
    from clickhouse_connect.driver import Client

    from weir.monitor.slo import History, Slo
    from weir.settings import Settings

TARGETS = ("0.9", "0.95", "0.99", "0.995", "0.999", "0.9995", "0.9999")

At = Annotated[str, typer.Option("--at", help="At this time, ISO 8601, UTC; by default now.")]

cli = typer.Typer(no_args_is_help=True, help="Objectives (slos/*.yaml): error budgets, burn rates, and simulations.")


@cli.command()
def status(
    names: Annotated[list[str] | None, typer.Argument(help="Objectives; by default all.", metavar="[NAME]...")] = None,
    at: At = "",
    as_json: AsJson = False,
) -> None:
    """Show how much of each error budget is left, and how fast it burns over an hour, six hours and three days.

    A rate of 1 uses the budget up just at the end of the window. Steps that the ledger does not account for, or that
    have not ended, are left out. Exit status 1 where one burns so fast that it pages,
    or is used up.
    """
    settings, client, chosen = _chosen(names)
    rows: list[dict[str, Any]] = []
    for one in chosen:
        told, held = _history(settings, client, one, time_or_now(at, "--at"), timedelta(seconds=one.window_s))
        found = told.status()
        rows.append(
            {
                "name": one.name,
                "service": one.service,
                "objective": float(one.objective),
                "to": found.end,
                "good": found.good,
                "total": found.total,
                "share": _float(found.share),
                "budget_spent": _float(found.spent),
                "held_back": held,
                "burns": [
                    {
                        "factor": float(burn.rule.factor),
                        "long_s": burn.rule.long_s,
                        "short_s": burn.rule.short_s,
                        "long": _float(burn.long),
                        "short": _float(burn.short),
                        "fires": burn.fires,
                    }
                    for burn in found.burns
                ],
                "severity": found.severity,
                "owner": one.owner,
            }
        )
    columns = (
        Column("name", "name", name=True),
        Column("service", "service"),
        Column("objective", "objective", lambda share: f"{share:.10g}", right=True),
        Column("good", "share", _share, right=True),
        Column("of", "total", lambda count: f"{count:,}", right=True),
        Column("budget left", "budget_spent", lambda spent: "" if spent is None else f"{1 - spent:.1%}", right=True),
        *(_rate_column(place, heading) for place, heading in enumerate(("1h", "6h", "3d"))),
        Column("", "severity"),
    )
    show(rows, columns, as_json=as_json)
    if not as_json:
        _say_held(rows)
    if any(row["severity"] == "page" or (row["budget_spent"] or 0) > 1 for row in rows):
        raise typer.Exit(1)


@cli.command(cls=Command)
def simulate(
    name: Annotated[str, typer.Argument(help="The objective, whose monitor is replayed.", metavar="NAME")],
    objectives: Annotated[
        list[str] | None, typer.Option("--objective", help="A target to try, such as 99.9%; repeat for more.")
    ] = None,
    window: Annotated[str, typer.Option(help="Another window than the file's, such as 7d.")] = "",
    since: Annotated[
        str, typer.Option("--from", help="From this time on, ISO 8601, UTC; by default three windows.")
    ] = "",
    until: Annotated[str, typer.Option("--to", help="Before this time; by default now.")] = "",
    as_json: AsJson = False,
) -> None:
    """Replay a history against targets: which would have been met, and how often they would have called somebody.

    Steps that the ledger does not account for are left out.
    """
    from dataclasses import replace

    from weir.edges.clickhouse.slos import objective
    from weir.monitor import durations

    settings, client, (one,) = _chosen([name])
    if window:
        one = replace(one, window_s=span_of(window, "--window"))
    try:
        targets = [objective(text) for text in objectives or dict.fromkeys((*TARGETS, str(float(one.objective))))]
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--objective") from None
    end = time_or_now(until, "--to")
    span = timedelta(seconds=one.window_s)
    length = end - time_of(since, "--from") if since else 3 * span
    if length < span:
        raise typer.BadParameter(f"the time is shorter than a window of {span}", param_hint="--from")
    history, held = _history(settings, client, one, end, length)
    rows = [
        {
            "objective": float(met.objective),
            "windows": met.windows,
            "met": met.met,
            "met_share": met.met / met.windows if met.windows else None,
            "worst": _float(met.worst),
            "pages": met.pages,
            "warnings": met.warnings,
        }
        for met in history.met(sorted(set(targets)))
    ]
    columns = (
        Column("objective", "objective", lambda share: f"{share:.10g}", right=True),
        Column("met", "met_share", _share, right=True),
        Column("pages", "pages", right=True),
        Column("warnings", "warnings", right=True),
    )
    show(rows, columns, as_json=as_json)
    if not as_json and rows:
        worst = _share(rows[0]["worst"]) or "unknown"
        spans = [durations.written(int(each.total_seconds())) for each in (span, length - span)]
        say(f"{rows[0]['windows']:,} windows of {spans[0]}, which end in the last {spans[1]}; the worst had {worst}")
        _say_held([{"name": one.name, "held_back": held}])


def _chosen(names: list[str] | None) -> tuple[Settings, Client, list[Slo]]:
    from weir.core.errors import Refused
    from weir.edges.clickhouse import monitors, slos
    from weir.edges.clickhouse.client import connect

    settings = reached()
    rules, refused = slos.looked(settings, monitors.looked(settings)[0])
    found = {one.objective.name: one.objective for one in rules.values()}
    for path, error in refused.items():
        if path.stem in (names or ()) or not found:
            raise error
        if not names:
            typer.echo(f"weir: {error}", err=True)
    for name in names or ():
        if name not in found:
            there = f"there are {', '.join(found)}" if found else "there is none"
            remedy = f"{there}; an objective is a file NAME.yaml"
            raise Refused(f"there is no objective {name}", where=str(settings.paths.slos_dir), remedy=remedy)
    return settings, connect(settings.recording), [found[name] for name in names or found]


def _history(settings: Settings, client: Client, one: Slo, end: datetime, span: timedelta) -> tuple[History, int]:
    from weir.edges.clickhouse import monitors, slos
    from weir.monitor.slo import last_span

    begin, last = last_span(one, end, span)
    return slos.history(client, one, monitors.named(settings, one.monitor), begin, last, datetime.now(UTC))


def _say_held(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if row["held_back"]:
            what = f"{row['held_back']} steps with requests are left out: the ledger does not account for them yet"
            say(f"{row['name']}: {what}; `weir ledger` says which offsets")


def _rate_column(place: int, heading: str) -> Column:
    def text(burns: Any) -> str:
        rate = burns[place]["long"]
        return "" if rate is None else f"{rate:.3g}"

    return Column(f"burn {heading}", "burns", text, right=True)


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.4%}"


def _float(share: Fraction | None) -> float | None:
    return None if share is None else float(share)
