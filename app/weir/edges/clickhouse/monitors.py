"""Monitors: those that Weir brings and those of the project, each asked in one way for a service and a time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, NoReturn

import pyarrow as pa
from clickhouse_connect.driver import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from weir.core.errors import Refused
from weir.edges.clickhouse import costs, estimates, outcome_cells, reports, scans, sides, sql_files
from weir.edges.clickhouse.client import (
    NO_ACCESS,
    RETRIABLE,
    WRONG_PASSWORD,
    Once,
    answering,
    each_time,
    said,
    settable,
    url_of,
    within_memory,
    written,
)
from weir.edges.clickhouse.joined import Table
from weir.edges.clickhouse.results import view_of
from weir.monitor import header, like
from weir.monitor.baseline import SEASONS, Against, Baseline
from weir.monitor.parameters import MEANING
from weir.monitor.spec import Asked, Monitor, Row, coarsest
from weir.settings import Settings

FOLDER: Final = sql_files.FOLDER / "monitors"
ASKING: Final[Mapping[str, Any]] = {"readonly": 2, "session_timezone": "UTC"}  # it may only read; times are UTC
READONLY: Final = 164  # of a statement that writes; elsewhere of a server that takes none for a while
BEFORE: Final = timedelta(days=28)  # what a window is compared with, where a season is and nobody says since when
PAIR: Final = Against.PAIR.value
FLOATS: Final = ("Float", "Int", "UInt", "Decimal", "Bool")
WHOLE: Final = ("Int", "UInt")
TIMES: Final = ("DateTime(",)
LOOK_S: Final = 30  # for which its SQL is looked at
TOO_LONG: Final = 159  # of a statement that was stopped
DAY: Final = timedelta(days=1)
LOOKED_AT: Final = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2023, 4, 5, tzinfo=UTC))  # any two times
SECONDS: Final = pa.timestamp("s", "UTC")  # a DateTime comes as the number of them since 1970


def files(settings: Settings) -> dict[str, Monitor]:
    """All monitors by name, Weir's first. Raises Refused for the first file that is none."""
    found, refused = looked(settings)
    for error in refused.values():
        raise error
    return found


def looked(settings: Settings) -> tuple[dict[str, Monitor], dict[Path, Refused]]:
    """All monitors by name, and why files are none, by path."""
    found: dict[str, Monitor] = {}
    refused: dict[Path, Refused] = {}
    for folder, own in ((FOLDER, False), (settings.paths.monitors_dir, True)):
        for path in sorted(folder.rglob("*.sql")):
            try:
                one = _read(path, folder, own=own)
            except Refused as error:
                refused[path] = error
                continue
            if one.name in found and one.like != one.name:
                remedy = f"give the project's another name, or say `-- like: {one.name}` and no SQL to take its place"
                refused[path] = Refused(f"there are two monitors {one.name}", where=str(path), remedy=remedy)
                continue
            found[one.name] = one
    return found, refused


def known(settings: Settings) -> tuple[dict[str, Monitor], dict[Path, Refused]]:
    """All that can be asked by its name, also what no SQL makes (`estimates`); and why files are none, by path."""
    found, refused = looked(settings)
    return found | {estimates.MONITOR.name: estimates.MONITOR}, refused


def named(settings: Settings, name: str) -> Monitor:
    """One of all that can be asked. Raises Refused where its file is none, or there is none of this name."""
    found, refused = known(settings)
    if name in found:
        return found[name]
    for path, error in refused.items():
        if path == settings.paths.monitors_dir / f"{name}.sql":
            raise error
    near = [one for one in found if name in one] or get_close_matches(name, found, 1)
    meant = f"did you mean {near[0]}? " if near else ""
    raise Refused(f"there is no monitor {name}", remedy=f"{meant}`weir monitors list` names those that there are")


def text(settings: Settings, monitor: Monitor) -> str:
    """A monitor's file, its header and SQL written out, without the parts that the SQL names. Raises Refused."""
    if not monitor.sql:
        return "".join(f"-- {key}: {value}\n" for key, value in estimates.HEADER.items())
    return _text((settings.paths.monitors_dir if monitor.own else FOLDER) / f"{monitor.name}.sql", own=monitor.own)


def _read(path: Path, folder: Path, *, own: bool) -> Monitor:
    sql = sql_files.whole(_text(path, own=own))
    return header.monitor(sql, path.relative_to(folder).with_suffix("").as_posix(), str(path), own=own)


def _text(path: Path, *, own: bool) -> str:
    try:
        found = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Refused("this is no monitor: it is no text in UTF-8", where=str(path), remedy="write it anew") from error
    except OSError as error:
        what = f"this monitor cannot be read: {error.strerror}"
        raise Refused(what, where=str(path), remedy="make it a file that can be read") from error
    if not own:
        return found
    names = [one.relative_to(FOLDER).with_suffix("").as_posix() for one in FOLDER.rglob("*.sql")]
    brought = lambda name: _text(FOLDER / f"{name}.sql", own=False) if name in names else None  # noqa: E731
    return like.whole(found, str(path), brought, names)


def run(
    client: Client,
    monitor: Monitor,
    asked: Asked,
    of: Mapping[str, Any] | None = None,
    joined: Table | None = None,
    once: Once = each_time,
) -> list[Row]:
    """The figures of a service by window and subject, in this order; a window without rows has none.

    of: what the service's bundle means (`meaning`), where the caller knows it; it is asked otherwise. joined: what is
    read instead of the service's view; it holds the time asked about. once: what is asked for several monitors.
    Raises Unavailable; Refused where the monitor cannot be asked so, as ClickHouse words it where its SQL is at fault.
    """
    _check(monitor, asked)
    with answering(url_of(client)):
        digests = sides.answered(client, monitor.sql, asked.service, asked.begin, asked.end, once)
    if digests is not None and not digests:
        return []
    return rows(monitor, table(client, monitor, asked, of, joined, digests or (), once))


def table(
    client: Client,
    monitor: Monitor,
    asked: Asked,
    of: Mapping[str, Any] | None = None,
    joined: Table | None = None,
    digests: Sequence[str] = (),
    once: Once = each_time,
) -> pa.Table:
    """The answer with the columns and the order of the SQL; the column of its header's time is UTC. Raises as `run`.

    digests: bundles that answered in the time, where the caller knows them (`sides.answered`). once: as of `run`.
    """
    if monitor.name == estimates.MONITOR.name:
        _check(monitor, asked)
        return estimates.table(client, asked)
    bound, settings = (
        parameters(client, monitor, asked, of),
        settable(client, {**ASKING, **sides.settings(monitor.sql)}),
    )
    if joined is not None:
        bound, settings = bound | {"results": joined.name}, {**settings, **joined.settings}
    with answering(url_of(client)), within_memory(f"monitor {monitor.name}"), _its_author(monitor):
        sql, book = costs.needed(client, monitor.sql, bound, once)
        sql, one = sides.needed(sql, bound, digests)
        sql, more = outcome_cells.needed(client, sql, asked.service, asked.begin, asked.end, asked.step_s, once)
        found = client.query_arrow(sql, parameters=bound | book | one | more, settings=settings, use_strings=True)
    columns = dict(zip(found.column_names, found.columns, strict=True))
    if lacking := sorted({*monitor.figures.values(), *monitor.subject} - columns.keys()):
        _deny(monitor, f"its answer has no column {lacking[0]}", f"name one of {', '.join(columns)} in its header")
    return pa.table(columns | {monitor.time: columns[monitor.time].cast(pa.int64()).cast(SECONDS)})


def estimate(client: Client, monitor: Monitor, asked: Asked) -> dict[str, int]:
    """Rows that it would read at most, by table. Nothing is run. Raises as `run` does."""
    bound = parameters(client, monitor, asked)
    if not monitor.sql:
        return {}
    with answering(url_of(client)), _its_author(monitor):
        found = client.query(f"EXPLAIN ESTIMATE {monitor.sql}", parameters=bound, settings=settable(client, ASKING))
    rows: Counter[str] = Counter()
    for _, name, _, count, _ in found.result_rows:
        rows[name] += count
    return dict(rows)


def rows(monitor: Monitor, answer: pa.Table) -> list[Row]:
    """An answer's rows, by window and subject. Raises Refused where a subject is twice in a window."""
    columns = {name: _listed(answer.column(name)) for name in answer.column_names}
    if None in columns[monitor.time]:
        _deny(monitor, f"{monitor.time}, the begin of its windows, is null in a row", "leave such rows out")
    begins = [time.replace(tzinfo=UTC) for time in columns[monitor.time]]
    subjects = [
        "/".join(map(str, words)) for words in zip(*(columns[name] for name in monitor.subject), strict=True)
    ] or [""] * len(begins)
    figures = {
        part: [_number(value) for value in columns[column]] if column else [None] * len(begins)
        for part, column in {part: getattr(monitor, part) for part in ("value", "low", "high", "p")}.items()
    }
    counts = [_count(monitor, value) for value in columns[monitor.n]]
    others = [name for name in columns if name not in {*monitor.figures.values(), *monitor.subject}]
    found = [
        Row(
            begin=begins[place],
            subject=subjects[place],
            n=counts[place],
            details={name: columns[name][place] for name in others},
            **{part: values[place] for part, values in figures.items()},
        )
        for place in range(len(begins))
    ]
    found.sort(key=lambda row: (row.begin, row.subject))
    twice, times = Counter((row.begin, row.subject) for row in found).most_common(1)[0] if found else (None, 0)
    if twice and times > 1:
        what = f"its answer has {times} rows for {twice[1] or 'the service'} at {twice[0]:%Y-%m-%d %H:%M}"
        _deny(monitor, what, "GROUP BY window and subject, or name in `-- subject:` what tells its rows apart")
    return found


def parameters(client: Client, monitor: Monitor, asked: Asked, of: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the server binds for each parameter of the SQL. Raises as `run` does."""
    _check(monitor, asked)
    against, season = compared(monitor.baseline, asked)
    pair = against == PAIR
    begin = asked.base_begin or (asked.begin if pair else asked.begin - BEFORE)
    end = asked.base_end or (asked.end if pair else asked.begin)
    known = {
        "service": asked.service,
        "from": written(asked.begin),
        "to": written(asked.end),
        "step": asked.step_s,
        **{name: getattr(asked.segment, name) for name in ("version", "variant", "tenant", "team")},
        "subject": asked.subject,
        "baseline": against,
        "base_version": asked.base_version,
        "base_variant": asked.base_variant,
        "base_from": written(begin),
        "base_to": written(end),
        "season": season,
        "results": view_of(asked.service),
        "shadow_results": view_of(asked.service, shadows=True),
    }
    if monitor.parameters.keys() & MEANING:
        known |= meaning(client, asked.service) if of is None else of
    return {name: known[name] if name in known else coarsest(name, monitor.grain, asked) for name in monitor.parameters}


def compared(own: Baseline, asked: Asked | None = None) -> tuple[str, str]:
    """What {baseline} and {season} are: as it is asked, else by the header's baseline `own`."""
    if asked is not None and (asked.baseline or asked.season):
        return asked.baseline or Against.SEASON.value, asked.season
    if own.against is Against.PAIR or (asked is not None and (asked.base_version or asked.base_variant)):
        return PAIR, ""
    if own.against is Against.SEASON:
        return Against.SEASON.value, own.name
    if own.against is Against.NONE or (asked is not None and (asked.base_begin or asked.base_end)):
        return "", ""
    return own.name or own.against.value, ""


def meaning(client: Client, service: str) -> dict[str, Any]:
    """What a service's bundle means, as parameters of monitors. Raises Unavailable, Refused."""
    of = reports.meaning(client, service)
    positive = of.labels[1] if len(of.labels) == 2 else ""
    return {
        "positive": positive,
        "threshold": of.threshold,
        "labels": list(of.labels),
        "flagging": list(of.flagging),
        **of.parameters(),
    }


def _check(monitor: Monitor, asked: Asked) -> None:
    """Raises Refused for what the monitor does not answer."""
    if asked.begin >= asked.end:
        remedy = "let it begin before it ends"
        raise Refused(f"the time asked about ends before it begins: {asked.begin} to {asked.end}", remedy=remedy)
    if asked.base_begin and asked.base_end and asked.base_begin >= asked.base_end:
        what = f"the time to compare with ends before it begins: {asked.base_begin} to {asked.base_end}"
        raise Refused(what, remedy="let it begin before it ends")
    if asked.step_s < 1:
        raise Refused(f"windows of {asked.step_s} seconds cannot be", remedy="give a step of a second at least")
    for name in asked.segment.filters:
        if name not in monitor.filters:
            obeys = f"it is by {', '.join(monitor.filters)}" if monitor.filters else "it has no segments"
            raise Refused(
                f"monitor {monitor.name} does not tell one {name} from another", remedy=f"leave {name}= out: {obeys}"
            )
    given = {name: getattr(asked, name) for name in ("subject", "baseline", "base_version", "base_variant", "season")}
    for name, value in (given | {"base_from": asked.base_begin, "base_to": asked.base_end}).items():
        if value and name not in monitor.parameters:
            raise Refused(f"monitor {monitor.name} takes no {name}", remedy=f"leave the {name} out")
    if asked.season and asked.season not in SEASONS:
        remedy = f"give one of {', '.join(SEASONS)}"
        raise Refused(f"there is no season {asked.season}", remedy=remedy)


def check(client: Client, monitor: Monitor, service: str) -> None:
    """Have ClickHouse look at a monitor's SQL: its columns, and what it would read.

    Nothing is run but queries that stand in the place of a value, for a while. service: one whose views there are.
    Raises Unavailable; Refused where ClickHouse refuses it, a column of the header is missing or of another kind, a
    table would be read as a whole, or something is read that is no table of Weir's.
    """
    if not monitor.sql:
        return
    bound, others = (
        parameters(client, monitor, Asked(service=service, begin=at, end=at + DAY, step_s=monitor.window_s))
        for at in LOOKED_AT
    )
    settings = settable(client, {**ASKING, "max_execution_time": LOOK_S})
    with answering(url_of(client)), _its_author(monitor), _in_time(monitor):
        strange = scans.strange(client, monitor.sql, bound, settings)
        whole = scans.unbounded(client, monitor.sql, bound, settings, others)
        described = client.query(f"DESCRIBE TABLE (\n{monitor.sql}\n)", parameters=bound, settings=settings)
        kinds = {str(row[0]): _plain_type(str(row[1])) for row in described.result_rows}
    _check_columns(monitor, kinds)
    if strange:
        what = f"its SQL reads {strange[0]}, which is no table and no view of this database"
        _deny(monitor, what, "read the tables of the record and the views of services")
    if whole:
        name, lacking = next(iter(whole.items()))
        what = f"its SQL reads all of {name}, whatever {' and '.join(lacking)} is asked about"
        wanted = (
            "service = {service:String}" if "service" in lacking else "the time >= {from:DateTime} and < {to:DateTime}"
        )
        _deny(monitor, what, f"let its WHERE say {wanted}, by columns of the table's sorting or partition key")


@contextmanager
def _in_time(monitor: Monitor) -> Iterator[None]:
    """What takes so long only to look at would read everything whenever it is asked."""
    try:
        yield
    except DatabaseError as error:
        if error.code != TOO_LONG:
            raise
        what = f"a query in the place of a value takes longer than {LOOK_S} s"
        _deny(monitor, what, "restrict what it reads to the service and the time", error)


def _check_columns(monitor: Monitor, kinds: Mapping[str, str]) -> None:
    """Raises Refused. kinds: ClickHouse's types of the answer's columns, by name."""
    drawn = (("series", one.column) for one in monitor.series)
    for part, column in (*monitor.figures.items(), *(("subject", name) for name in monitor.subject), *drawn):
        if column not in kinds:
            _deny(monitor, f"its answer has no column {column}", f"name one of {', '.join(kinds)} as `-- {part}:`")
        wanted = {"time": TIMES, "n": WHOLE, "subject": ()}.get(part, FLOATS)
        if wanted and not f"{kinds[column]}(".startswith(wanted):
            what = f"column {column}, its {part}, is a {kinds[column]}"
            _deny(monitor, what, {"time": "give a DateTime", "n": "give a whole number"}.get(part, "give a number"))


def _plain_type(kind: str) -> str:
    for wrapping in ("LowCardinality(", "Nullable("):
        if kind.startswith(wrapping):
            kind = kind.removeprefix(wrapping)[:-1]
    return kind


def _listed(column: pa.ChunkedArray) -> list[Any]:
    """Values as JSON can have them: a map is a dict."""
    values: list[Any] = column.to_pylist()
    return [dict(value) for value in values] if pa.types.is_map(column.type) else values


def _count(monitor: Monitor, value: Any) -> int:
    """Raises Refused for what is no number of rows."""
    try:
        found = int(value or 0)
    except (OverflowError, TypeError, ValueError):
        found = -1
    if not 0 <= found < 2**63:
        _deny(monitor, f"{monitor.n}, its number of rows, is {value}", "give a whole number, not below 0")
    return found


def _number(value: Any) -> float | None:
    number = None if value is None else float(value)
    return None if number is None or math.isnan(number) else number


@contextmanager
def _its_author(monitor: Monitor) -> Iterator[None]:
    """What ClickHouse says of the SQL is for whoever wrote it."""
    try:
        yield
    except DatabaseError as error:
        if error.code in RETRIABLE - {READONLY} or error.code in (None, WRONG_PASSWORD, NO_ACCESS):
            raise
        remedy = "mend the SQL; `weir migrate` makes tables, `weir apply` the views of services"
        _deny(monitor, f"ClickHouse refuses its SQL: {said(error)}", remedy, error)


def _deny(monitor: Monitor, what: str, remedy: str, error: DatabaseError | None = None) -> NoReturn:
    raise Refused(f"monitor {monitor.name} cannot be used: {what}", remedy=remedy) from error
