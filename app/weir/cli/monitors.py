"""`weir monitors`: the questions that are asked of the record again and again, and their answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.markup import escape

from weir.cli.arguments import Command, check_service, reached
from weir.cli.monitors_dashboard import dashboard
from weir.cli.output import AsJson, Column, say, show, show_csv, show_json
from weir.cli.times import span_of, time_of, time_or_now
from weir.core.errors import Refused

if TYPE_CHECKING:
    from clickhouse_connect.driver import Client

    from weir.core.signature import Task
    from weir.monitor.false_alarms import Calibrated, OfService
    from weir.monitor.spec import Asked, Monitor
    from weir.settings import Settings

DAY = timedelta(days=1)
MINUTE_S = 60  # the finest windows that are recorded
HALF_A_YEAR = timedelta(days=182)
CALIBRATED = (
    ("monitor", "monitor"),
    ("severity", "severity"),
    ("subjects", "subjects"),
    ("own bound", "own"),
    ("bounds", "bounds"),
    ("false alarms a month", "a_month"),
    ("90 % interval", "interval"),
    ("with the own bound", "before_a_month"),
    ("windows", "windows"),
    ("lacks", "too_little"),
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Name = Annotated[str, typer.Argument(help="As `weir monitors list` names it.", metavar="NAME")]
Service = Annotated[str, typer.Option(help="The scoring service; needed where there are several.")]
Begin = Annotated[str, typer.Option("--from", help="From this time on, ISO 8601, UTC; by default a day before --to.")]
End = Annotated[str, typer.Option("--to", help="Before this time; by default now.")]
Step = Annotated[str, typer.Option(help="Length of a window, such as 5m; by default the monitor's own.")]
Where = Annotated[
    str, typer.Option(help="A segment: version=, variant=, tenant=, team= with a value each, commas between them.")
]
Subject = Annotated[str, typer.Option(help="One subject alone, such as an input.")]
Baseline = Annotated[
    str,
    typer.Option(help="What to compare with: reference, pair, season, one captured; by default as its header says."),
]
BaseVersion = Annotated[str, typer.Option(help="Of a pair: the version to compare with.")]
BaseVariant = Annotated[str, typer.Option(help="Of a pair: the variant to compare with.")]
BaseBegin = Annotated[
    str,
    typer.Option(
        "--base-from", help="Compare with windows from this time on; of a pair by default --from, else 28 days before."
    ),
]
BaseEnd = Annotated[
    str,
    typer.Option("--base-to", help="Compare with windows before this time; of a pair by default --to, else --from."),
]
Season = Annotated[
    str, typer.Option(help="Compare with the same hour, weekday or hour_of_week before, as one of these words says.")
]
NAMED = 20  # subjects that there are, where one asks for another

cli = typer.Typer(no_args_is_help=True, help="Ask monitors: what happens to inputs, outcomes, costs and health.")
cli.command()(dashboard)


@cli.command("list")
def list_(
    service: Annotated[
        str, typer.Option(help="Those of this service's task, with its calibrated bounds; by default of all tasks.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List the monitors of Weir and of the project, their bounds, and the false alarms a month to be expected.

    Of a calibrated bound its history says how many; of figures with a test, the test: at most so many where nothing
    changes. Of others nobody knows before `weir monitors calibrate`.
    """
    from weir.edges.clickhouse import monitors
    from weir.monitor import durations, false_alarms
    from weir.settings import load

    found, refused = monitors.known(load())
    task, calibrated = _calibrated(service) if service else (None, {})
    mine = {name: one for name, one in found.items() if task is None or task in one.tasks}
    bounds = {name: _bounds(one, calibrated.get(name, {})) for name, one in mine.items()}
    expected = {name: false_alarms.all_of(one, calibrated.get(name)) for name, one in mine.items()}
    rows = [
        {
            "name": one.name,
            "question": one.question,
            "unit": one.unit.value,
            "window": durations.written(one.window_s),
            "tasks": [task.value for task in one.tasks],
            **bounds[one.name],
            "false_alarms": {severity: said.row() for severity, said in expected[one.name].items()},
            "baseline": str(one.baseline),
            "owner": one.owner,
            "of": "project" if one.own else "weir",
        }
        for one in mine.values()
    ]
    if not as_json:
        rows = [row | {"false_alarms": false_alarms.cell(expected[str(row["name"])])} for row in rows]
    columns = [Column(one, one, name=one == "name") for one in ("name", "question", "unit", "window", "warn", "page")]
    columns += [Column("false alarms a month", "false_alarms"), Column("owner", "owner"), Column("of", "of")]
    show(rows, columns, as_json=as_json)
    if refused and not as_json:
        say(f"{len(refused)} files are no monitors: `weir monitors check` says why")


def _calibrated(service: str) -> tuple[Task | None, OfService]:
    """What a service predicts, and what calibrations have found for it."""
    from weir.edges.clickhouse import calibrations, reports
    from weir.edges.clickhouse.client import connect

    settings = reached()
    client = connect(settings.recording)
    check_service(service, settings, client)
    told = reports.told(client, service)
    return (told.task if told else None), calibrations.latest(client, service)


def _bounds(monitor: Monitor, calibrated: Mapping[str, Calibrated]) -> dict[str, str]:
    """What a monitor is held to, in words."""
    from weir.monitor import false_alarms

    usual = ", ".join(f"{subject} {way}".strip() for subject, way in monitor.usual.items())
    own = {"warn": str(monitor.warn or "") or usual, "page": str(monitor.page or "")}
    return own | {severity: false_alarms.written(found) for severity, found in calibrated.items()}


@cli.command(cls=Command)
def run(
    name: Name,
    service: Service = "",
    begin: Begin = "",
    end: End = "",
    step: Step = "",
    where: Where = "",
    subject: Subject = "",
    baseline: Baseline = "",
    base_version: BaseVersion = "",
    base_variant: BaseVariant = "",
    base_begin: BaseBegin = "",
    base_end: BaseEnd = "",
    season: Season = "",
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
) -> None:
    """Ask a monitor about a service, and print a row for each window and subject.

    Windows begin at whole multiples of their length since 1970: the time asked about is widened to whole windows.
    """
    from weir.edges.clickhouse import monitors, reports

    if as_json and as_csv:
        raise typer.BadParameter("give --json or --csv, not both")
    base = _Base(baseline, base_version, base_variant, base_begin, base_end, season)
    monitor, client, asked = _asked(name, service, begin, end, step, where, base, subject)
    answer = monitors.table(client, monitor, asked)
    rows = monitors.rows(monitor, answer)
    if as_json:
        show_json([asdict(row) for row in rows])
        return
    columns = answer.column_names
    cells = answer.to_pylist()
    if as_csv:
        show_csv(cells, columns)
        return
    _say_lacking(client, monitor, asked)
    names = {monitor.time, *monitor.subject}
    show(cells, [Column(one, one, _text, right=one not in names, name=one in names) for one in columns], as_json=False)
    of = reports.told(client, asked.service)
    if of and of.task not in monitor.tasks:
        say(f"{name} is for {', '.join(monitor.tasks)}, and {asked.service} is {of.task}: it says nothing here")
    elif not rows and subject and (others := _subjects(client, monitor, asked)):
        more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
        say(f"{name} has nothing of {subject} here, but of {', '.join(others[:NAMED])}{more}")
    elif not rows:
        say(f"nothing of {asked.service} from {asked.begin:%Y-%m-%d %H:%M} to {asked.end:%Y-%m-%d %H:%M} UTC")


def _say_lacking(client: Client, monitor: Monitor, asked: Asked) -> None:
    """That there is nothing to compare with, where the header names a baseline that nobody has captured."""
    from weir.edges.clickhouse import baselines, monitors
    from weir.monitor.baseline import Against

    name, _ = monitors.compared(monitor.baseline, asked)
    if monitor.baseline.against is not Against.FROZEN or name != monitor.baseline.name:
        return
    if name not in baselines.names(client, asked.service):
        say(f"{asked.service} has no baseline {name}: there is nothing to compare with until `weir baseline capture`")


def _subjects(client: Client, monitor: Monitor, asked: Asked) -> list[str]:
    """What there is, where nothing is of the subject asked about."""
    from weir.edges.clickhouse import monitors

    return sorted({row.subject for row in monitors.run(client, monitor, replace(asked, subject=""))})


@cli.command(cls=Command)
def explain(
    name: Name,
    service: Service = "",
    begin: Begin = "",
    end: End = "",
    step: Step = "",
    where: Where = "",
    subject: Subject = "",
    baseline: Baseline = "",
    base_version: BaseVersion = "",
    base_variant: BaseVariant = "",
    base_begin: BaseBegin = "",
    base_end: BaseEnd = "",
    season: Season = "",
) -> None:
    """Say what a monitor asks: its header, what is bound to its parameters, its SQL, and the rows that it reads.

    Beside its bounds stand those that are calibrated, and the false alarms a month that may be expected.
    """
    from weir.edges.clickhouse import calibrations, estimates, monitors
    from weir.monitor import false_alarms, header

    base = _Base(baseline, base_version, base_variant, base_begin, base_end, season)
    monitor, client, asked = _asked(name, service, begin, end, step, where, base, subject)
    bound = monitors.parameters(client, monitor, asked)
    said = header.lines(monitor.sql) if monitor.sql else estimates.HEADER
    rows = [{"what": one, "value": str(value)} for one, value in said.items()]
    calibrated = calibrations.latest(client, asked.service).get(name, {})
    rows += [{"what": f"{one}, calibrated", "value": false_alarms.written(of)} for one, of in calibrated.items()]
    for severity, expected in false_alarms.all_of(monitor, calibrated).items():
        rows.append({"what": f"false alarms ({severity})", "value": str(expected)})
    rows += [{"what": f"{{{one}}}", "value": str(value)} for one, value in bound.items()]
    for table, count in monitors.estimate(client, monitor, asked).items():
        rows.append({"what": f"reads {table}", "value": f"{count:,} rows at most"})
    show(rows, (Column("", "what", name=True), Column("", "value")), as_json=False)
    _say_lacking(client, monitor, asked)
    typer.echo(monitor.sql)


@cli.command()
def check(
    names: Annotated[list[str] | None, typer.Argument(help="Monitors; by default all.", metavar="[NAME]...")] = None,
    service: Annotated[str, typer.Option(help="Try their SQL on this service; by default on one that is there.")] = "",
    headers: Annotated[bool, typer.Option("--headers", help="Look at the files alone; ask no ClickHouse.")] = False,
) -> None:
    """Look whether every monitor is sound: its header, its SQL, its columns, and that it reads no table as a whole.

    A KPI, which is a monitor with a target, has an owner and an SLO, too. Exit status 1 where one is refused. What is
    wrong with the files is said before ClickHouse is asked.
    """
    from weir.edges.clickhouse import monitors, slos
    from weir.edges.clickhouse.client import connect
    from weir.monitor.parameters import VIEWS
    from weir.settings import load

    found, unread = monitors.known(load())
    chosen = {name: found[name] for name in names if name in found} if names else found
    faults = [error for path, error in unread.items() if not names or any(path.match(f"{name}.sql") for name in names)]
    if unknown := [name for name in names or () if name not in found and not faults]:
        monitors.named(load(), unknown[0])
    faults += slos.unlinked(load(), chosen.values())
    for fault in faults:
        say(escape(str(fault)))
    tried = 0
    if not headers:
        settings = reached()
        client = connect(settings.recording)
        tried_on = _service(service, settings, client, needed=False)
        for monitor in chosen.values():
            if not monitor.sql or (not tried_on and monitor.parameters.keys() & VIEWS):
                continue
            tried += 1
            try:
                monitors.check(client, monitor, tried_on)
            except Refused as error:
                faults.append(error)
                say(escape(str(error)))
    untried = "" if headers else f", the SQL of {tried} was tried"
    say(f"{len(chosen)} monitors read{untried}, {len(faults)} refused")
    if faults:
        raise typer.Exit(1)


@cli.command(cls=Command)
def cadence(service: Service = "", as_json: AsJson = False) -> None:
    """Say how small an effect each monitor can see, by the length of its windows, at the traffic of the newest week.

    For tests at 5 % that find it in four of five cases. A star marks the shortest window with enough rows for the
    monitor's minimum and for the lowest of its bounds; outcomes count as far as they come, and after their delay.
    """
    from weir.edges.clickhouse import monitors, reports
    from weir.edges.clickhouse.client import connect
    from weir.monitor import cadence as cadences
    from weir.monitor import durations
    from weir.operations.cadence import traffic

    settings = reached()
    client = connect(settings.recording)
    asked = _service(service, settings, client)
    seen, task = traffic(client, asked), reports.meaning(client, asked).task
    if seen is None:
        say(f"nothing of {asked} is recorded: how much traffic it has is not known")
        return
    rows = []
    for monitor in monitors.known(settings)[0].values():
        if task not in monitor.tasks or monitor.on_demand:
            continue
        options = cadences.choices(monitor, seen)
        best = cadences.chosen(options)
        row: dict[str, Any] = {"monitor": monitor.name, "unit": options[-1].unit, "window": best.cadence_s}
        row["known_after_s"] = round(best.known_after_s)
        rows.append(row | {durations.written(one.cadence_s): one.effect for one in options})
    lengths = [durations.written(one) for one in cadences.CADENCES_S]
    if not as_json:
        say(f"{asked}: {seen.rows_s:.3g} predictions a second, {seen.labelled:.0%} with an outcome")
        for row in rows:
            star = durations.written(row["window"])
            row |= {one: _effect(row[one], star=one == star) for one in lengths}
    columns = [Column("monitor", "monitor", name=True), *(Column(one, one, right=True) for one in lengths)]
    show(rows, [*columns, Column("in", "unit")], as_json=as_json)


def _effect(effect: float | None, *, star: bool) -> str:
    return ("-" if effect is None else f"{effect:.2g}") + (" *" if star else "")


@cli.command(cls=Command)
def calibrate(
    service: Annotated[str, typer.Argument(help="The scoring service.", metavar="SERVICE")],
    monitor: Annotated[str, typer.Option(help="One monitor alone; by default all that have a bound.")] = "",
    begin: Annotated[str, typer.Option("--from", help="History from this time on; by default half a year.")] = "",
    end: End = "",
    wanted: Annotated[
        float,
        typer.Option(
            "--false-alarms", min=0.01, help="False pages a month of one monitor, and four times as many tickets."
        ),
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Of the bootstrap's draws.")] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Store nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Calibrate the bounds of monitors by what they have measured of a service, and let them count from now on.

    The history ought to be one without known faults: whatever happened in it is held to be usual. Bounds are chosen so
    that all subjects of a monitor together would have alarmed as often as is wanted; what may be expected stands beside
    them. Where the history is too short, that is said, and the monitor's own bounds go on counting.
    """
    from weir.edges.clickhouse.client import connect
    from weir.operations import calibrate as calibrating

    settings = reached()
    client = connect(settings.recording)
    check_service(service, settings, client)
    until = time_or_now(end, "--to")
    since = time_of(begin, "--from") if begin else until - HALF_A_YEAR
    rows = calibrating.calibrate(
        settings, client, service, monitor, since, until, wanted_a_month=wanted, seed=seed, keep=not dry_run
    )
    show(rows, [Column(*one) for one in CALIBRATED], as_json=as_json)
    if as_json:
        return
    if short := [row for row in rows if row["too_little"]]:
        say(f"{len(short)} of {len(rows)} bounds have too little history and stay as they are")
    if not rows:
        say(f"no monitor with a bound has measured anything of {service} from {since:%Y-%m-%d} to {until:%Y-%m-%d}")


class _Base(NamedTuple):
    """The other side of a comparison, as it is written."""

    baseline: str
    version: str
    variant: str
    begin: str
    end: str
    season: str


def _asked(
    name: str, service: str, begin: str, end: str, step: str, where: str, base: _Base, subject: str
) -> tuple[Monitor, Client, Asked]:
    """The monitor, where to ask, and what."""
    from weir.edges.clickhouse import baselines, monitors
    from weir.edges.clickhouse.client import connect
    from weir.monitor.segment import Segment
    from weir.monitor.spec import Asked

    settings = reached()
    monitor = monitors.named(settings, name)
    step_s = span_of(step, "--step") if step else monitor.window_s
    until = time_or_now(end, "--to")
    since = time_of(begin, "--from") if begin else until - max(DAY, timedelta(seconds=step_s))
    segment = Segment.of(where)
    client = connect(settings.recording)
    chosen = _service(service, settings, client)
    if base.baseline and "baseline" in monitor.parameters:
        baselines.check(client, base.baseline, chosen)
    asked = Asked(
        service=chosen,
        begin=_whole(since, step_s),
        end=_whole(until, step_s, up=True),
        step_s=step_s,
        segment=segment,
        subject=subject,
        baseline=base.baseline,
        base_version=base.version,
        base_variant=base.variant,
        base_begin=_whole(time_of(base.begin, "--base-from"), MINUTE_S) if base.begin else None,
        base_end=_whole(time_of(base.end, "--base-to"), MINUTE_S, up=True) if base.end else None,
        season=base.season,
    )
    return monitor, client, asked


def _service(given: str, settings: Settings, client: Client, *, needed: bool = True) -> str:
    """The service that is meant: the one that is given, that of the settings, or the only one that there is."""
    from weir.edges.clickhouse import ledger

    chosen = given or settings.scoring.service
    check_service(chosen, settings, client)
    if chosen:
        return chosen
    known = ledger.services(client)
    if needed and len(known) != 1:
        there = f"there are {', '.join(known)}" if known else "nothing is recorded of any"
        raise typer.BadParameter(f"say which service: {there}", param_hint="--service")
    return known[0] if known else ""


def _whole(time: datetime, step_s: int, *, up: bool = False) -> datetime:
    """The nearest multiple of a step since 1970 before a time, or after it."""
    places = (time - EPOCH) / timedelta(seconds=step_s)
    return EPOCH + timedelta(seconds=step_s) * (math.ceil(places) if up else math.floor(places))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    return f"{value:.5g}" if isinstance(value, float) else str(value)
