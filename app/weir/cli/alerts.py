"""`weir alerts`: what fires and why; seen, silenced, and heard again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from weir.cli.arguments import Command, check_service, reached
from weir.cli.output import AsJson, Column, say, show, show_csv, show_json
from weir.cli.times import span_of, time_or_now

if TYPE_CHECKING:
    from weir.monitor.alert import Transition

cli = typer.Typer(
    no_args_is_help=True, help="List and rank alerts, show one with its evidence, acknowledge or silence it."
)

Which = Annotated[str, typer.Argument(help="Id or key of an alert, or how it begins.", metavar="ALERT")]
Reason = Annotated[str, typer.Option(help="Why, for whoever looks at it after you.")]

LISTED = (
    Column("alert", "alert_id", name=True),
    Column("state", "state"),
    Column("severity", "severe"),
    Column("service", "of_service", name=True),
    Column("monitor", "of_monitor", name=True),
    Column("subject", "of_subject", name=True),
    Column("owner", "of_owner", wide=True),
    Column("since", "since", "{:%Y-%m-%d %H:%M}".format),
    Column("seen by", "acknowledged_by", wide=True),
    Column("silent by", "silenced_by", wide=True),
    Column("said", "said", wide=True),
)
RANKED = (
    Column("component", "component", name=True),
    Column("service", "service", name=True),
    Column("minutes", "minutes", "{:,.0f}".format, right=True),
    Column("incidents", "incidents", right=True),
    Column("paged", "paged", right=True),
    Column("longest", "longest", "{:,.0f}".format, right=True),
    Column("budget", "budget", lambda share: "" if share is None else f"{share:.1%}", right=True),
    Column("objective", "objective", wide=True),
    Column("latest", "latest", lambda time: str(time)[:16].replace("T", " "), wide=True),
    Column("monitors", "monitors", wide=True),
)
COURSE = (
    Column("number", "number", right=True),
    Column("at", "at"),
    Column("from", "from_state"),
    Column("to", "to_state"),
    Column("severity", "severity"),
    Column("said", "sentence"),
    Column("by", "by"),
)
SILENCES = (
    Column("note", "note_id", name=True),
    Column("until", "until"),
    Column("key", "key", name=True),
    Column("alerts", "matchers"),
    Column("by", "by"),
    Column("reason", "reason"),
)


@cli.command("list")
def list_(
    service: Annotated[str, typer.Option(help="One scoring service; by default all of them.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=100_000)] = 100,
    as_json: AsJson = False,
) -> None:
    """List the alerts that are pending or firing: what pages first, then the latest."""
    from weir.edges.clickhouse.client import connect
    from weir.operations import alerts

    settings = reached()
    client = connect(settings.recording)
    check_service(service, settings, client)
    rows = alerts.listed(client, service, () if every else alerts.LIVE, limit)
    show(rows, LISTED, as_json=as_json)
    if not rows and not as_json:
        say("no alert is pending or firing" if not every else "there has been no alert")


@cli.command()
def report(
    lasting: Annotated[str, typer.Option("--range", help="The last so much time, such as 30d.")] = "30d",
    service: Annotated[str, typer.Option(help="One scoring service; by default all of them.")] = "",
    at: Annotated[str, typer.Option(help="The time before this one, ISO 8601, UTC; by default now.")] = "",
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
) -> None:
    """Rank where incidents come from: components of services by the minutes in which their alerts fired.

    A component is the folder of the monitors: drift, outcome, health, ledger, cost, slo, or one of the project's. A
    minute counts once, however many of its alerts fire. Budget: what of the error budget went meanwhile, of the
    service's worst objective.
    """
    from weir.edges.clickhouse import monitors, slos
    from weir.edges.clickhouse.client import connect
    from weir.operations import incidents

    if as_json and as_csv:
        raise typer.BadParameter("give --json or --csv, not both")
    span_s, end = span_of(lasting, "--range"), time_or_now(at, "--at")
    settings = reached()
    client = connect(settings.recording)
    check_service(service, settings, client)
    burns, refused = slos.looked(settings, monitors.looked(settings)[0])
    found = incidents.ranked(client, burns.values(), end - timedelta(seconds=span_s), end, service)
    rows = [one.plain() for one in found]
    if as_csv:
        show_csv(rows, incidents.COLUMNS)
    else:
        show(rows, RANKED, as_json=as_json)
    if not rows and not as_json and not as_csv:
        say(f"nothing fired in the last {lasting}")
    for fault in refused.values():
        typer.echo(f"weir: {fault}", err=True)


@cli.command("show", cls=Command)
def show_(which: Which, as_json: AsJson = False) -> None:
    """Show an alert: what happened, the window and the offsets behind it, who owns it, and what became of it."""
    from weir.edges.clickhouse.client import connect
    from weir.operations import alerts, run_book

    settings = reached()
    client = connect(settings.recording)
    course = alerts.transitions(client, which)
    caused = _cause(course)
    limit, expected = alerts.held_to(settings, client, caused)
    if as_json:
        plain = [{name: value for name, value in one.row().items() if name != "memory"} for one in course]
        more = {"limit": limit, "false_alarms": expected.row() if expected else None}
        show_json({"alert_id": caused.alert_id, "ask_again": alerts.ask_again(caused), **more, "transitions": plain})
        return
    about = caused.watched
    entry = run_book.place(settings, about.runbook)
    covers = sorted({(each.topic, each.partition, each.first, each.last) for each in caused.covers})
    facts = {
        "alert": f"{caused.alert_id}, key {about.key}",
        "what": caused.sentence,
        "service": about.service,
        "monitor": about.monitor,
        "subject": about.subject,
        "segment": about.segment,
        "cause": about.cause,
        "limit": limit,
        "false alarms": str(expected or ""),
        "owner": about.owner,
        "run-book": str(entry) if entry else about.runbook,
        "window": f"{_time(caused.begin_ms)} to {_time(caused.end_ms)} UTC",
        "offsets": "; ".join(f"{topic}/{partition}: {first:,} - {last:,}" for topic, partition, first, last in covers),
        "ask again": alerts.ask_again(caused),
        "seen": (seen := alerts.saw(caused)),
        "causes": "" if seen else f"weir diagnose {caused.alert_id}",
    }
    rows = [{"what": name, "value": value} for name, value in facts.items() if value]
    show(rows, (Column("", "what", name=True), Column("", "value")), as_json=False)
    told = [one.row() | {"at": _time(one.at_ms)} for one in course]
    show(told, COURSE, title="course", as_json=False)


@cli.command(cls=Command)
def ack(which: Which, reason: Reason) -> None:
    """Say that somebody looks after an alert. It goes on firing; receivers that can are notified."""
    from weir.edges.clickhouse.client import connect
    from weir.operations import alerts, notes

    settings = reached()
    latest = alerts.transitions(connect(settings.recording), which)[-1]
    notes.acknowledge(settings, latest, reason, datetime.now(UTC))
    say(f"{latest.alert_id} is acknowledged as soon as the monitor worker reads it")


@cli.command(cls=Command)
def silence(
    reason: Reason,
    which: Annotated[str, typer.Argument(help="Id or key of an alert; or say --match.", metavar="[ALERT]")] = "",
    match: Annotated[
        list[str] | None,
        typer.Option(help="FIELD=VALUE of alerts, * for any characters; all must fit.", metavar="FIELD=VALUE"),
    ] = None,
    lasting: Annotated[str, typer.Option("--for", help="For so long, such as 2h.")] = "2h",
) -> None:
    """Let alerts be silent for a while: they go on, and nobody is notified. When it ends, what still fires is."""
    from weir.edges.clickhouse.client import connect
    from weir.operations import alerts, notes

    settings, now = reached(), datetime.now(UTC)
    key = alerts.transitions(connect(settings.recording), which)[-1].watched.key if which else ""
    matchers = dict(_matcher(text) for text in match or ())
    note = notes.silence(settings, matchers, key, now + _span(lasting), reason, now)
    say(f"silence {note.note_id} until {_time(note.until_ms or 0)} UTC; `weir alerts unsilence` takes it back")


@cli.command(cls=Command)
def unsilence(
    note: Annotated[
        str, typer.Argument(help="Id of a silence in `weir alerts silences`, or how it begins.", metavar="NOTE")
    ],
    reason: Reason = "",
) -> None:
    """Take a silence back; of what still fires people are notified."""
    from weir.edges.clickhouse.client import connect
    from weir.operations import notes

    settings = reached()
    taken = notes.unsilence(settings, connect(settings.recording), note, reason, datetime.now(UTC))
    say(f"silence {taken.silence} is taken back as soon as the monitor worker reads it")


@cli.command()
def silences(as_json: AsJson = False) -> None:
    """List the silences in force."""
    from weir.edges.clickhouse.client import connect
    from weir.operations import alerts

    found = alerts.silences(connect(reached().recording), datetime.now(UTC))
    show([one.row() | {"until": _time(one.until_ms or 0)} for one in found], SILENCES, as_json=as_json)


def _cause(course: list[Transition]) -> Transition:
    """The transition that says what happened: the last one that fired, else the first."""
    fired = [one for one in course if one.to_state.value == "firing"]
    return fired[-1] if fired else course[0]


def _matcher(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise typer.BadParameter(f"{text!r} is no FIELD=VALUE", param_hint="--match")
    return name.strip(), value.strip()


def _span(text: str) -> timedelta:
    from weir.monitor import durations

    try:
        return timedelta(seconds=durations.seconds(text))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--for") from None


def _time(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M}"
