"""Objectives as the project's files say them, and their history by their monitors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, NoReturn

import yaml
from clickhouse_connect.driver import Client

from weir.core.errors import Refused
from weir.edges.clickhouse import monitors
from weir.edges.clickhouse.gate import recorded
from weir.monitor import burn, durations, gate
from weir.monitor.burn import BurnMonitor
from weir.monitor.segment import Segment
from weir.monitor.slo import REST, SHARE, History, Rule, Slo
from weir.monitor.spec import Asked, Monitor, Row, Unit
from weir.monitor.threshold import Threshold
from weir.settings import Settings

NEEDED: Final = ("title", "service", "objective", "window", "monitor", "good")
KEYS: Final = (*NEEDED, "subject", "step", "where", "owner", "runbook")
LONGEST_STEP_S: Final = 300  # the shortest span of a burn rate


def files(settings: Settings) -> dict[str, Slo]:
    """All objectives of the project by name. Raises Refused for the first file that is none, or names no monitor."""
    found = [_read(path) for path in sorted(settings.paths.slos_dir.glob("*.yaml"))]
    for one in found:
        where = str(settings.paths.slos_dir / f"{one.name}.yaml")
        _check(one, _monitor(settings, one, where), where)
    return {one.name: one for one in found}


def looked(settings: Settings, known: Mapping[str, Monitor]) -> tuple[dict[str, BurnMonitor], dict[Path, Refused]]:
    """The monitors of all objectives by name, and why files are none, by path. known: all other monitors."""
    found: dict[str, BurnMonitor] = {}
    refused: dict[Path, Refused] = {}
    for path in sorted(settings.paths.slos_dir.glob("*.yaml")):
        try:
            one = _read(path)
            asks = known.get(one.monitor) or _monitor(settings, one, str(path))
            _check(one, asks, str(path))
        except Refused as error:
            refused[path] = error
            continue
        found |= {each.name: each for each in burn.monitors(one, asks)}
    return found, refused


def unlinked(settings: Settings, known: Iterable[Monitor]) -> list[Refused]:
    """What is wrong with the objectives that KPIs are linked with, and with the files themselves."""
    try:
        found = files(settings)
    except Refused as error:
        return [error]
    there = f"there are {', '.join(found)}" if found else "there is none"
    return [
        Refused(
            f"KPI {one.name} is linked with the objective {one.slo}, which there is not",
            where=str(settings.paths.slos_dir),
            remedy=f"write {one.slo}.yaml, or name another one: {there}",
        )
        for one in known
        if one.slo and one.slo not in found
    ]


def history(
    client: Client, slo: Slo, monitor: Monitor, begin: datetime, end: datetime, now: datetime
) -> tuple[History, int]:
    """What its monitor says of the time from `begin` until before `end`, and how many steps are not in it.

    Steps that have not ended, and those whose requests the ledger does not account for, count as without events.
    Raises Unavailable, Refused.
    """
    held = _held_back(client, slo, begin, end, now)
    rows = _rows(client, slo, monitor, begin, end)
    return History(slo, (row for row in rows if row.begin not in held), begin, end), len(held)


def _held_back(client: Client, slo: Slo, begin: datetime, end: datetime, now: datetime) -> set[datetime]:
    """Begins of the steps with predictions that are not complete."""
    found = recorded(client, slo.service, begin, end, slo.step_s)
    step, none = timedelta(seconds=slo.step_s), timedelta(0)
    windows = gate.windows(found.covers, found.standings, found.faults, {}, step=step, now=now, lateness=none)
    return {window.begin for window in windows if not window.complete}


def burns(client: Client, monitor: BurnMonitor, asked: Asked, of: Mapping[str, Any] | None = None) -> list[Row]:
    """How fast a budget burnt by one rule, at the end of each window that is asked about.

    of: as `monitors.run` takes it. Raises Unavailable, Refused.
    """
    slo, rule, step = monitor.objective, monitor.burns_by, timedelta(seconds=monitor.window_s)
    begin = asked.begin - timedelta(seconds=rule.long_s - rule.short_s)
    rows = _rows(client, slo, monitor.asks, begin, asked.end, of)
    told = History(slo, rows, begin, asked.end)
    found = [told.burn(rule, asked.begin + place * step) for place in range((asked.end - asked.begin) // step)]
    return [_ripe(one, rows, rule) for one in found] if monitor.maturity else found


def _rows(
    client: Client, slo: Slo, monitor: Monitor, begin: datetime, end: datetime, of: Mapping[str, Any] | None = None
) -> list[Row]:
    asked = Asked(
        service=slo.service,
        begin=begin,
        end=end,
        step_s=slo.step_s,
        segment=slo.segment,
        subject=slo.subject if "subject" in monitor.parameters else "",
    )
    least = monitor.minimum if isinstance(slo.good, Threshold) else 0  # a window of a few says nothing of a bound
    found = monitors.run(client, monitor, asked, of)
    return [row for row in found if row.subject == slo.subject and row.n >= least]


def _ripe(found: Row, rows: Iterable[Row], rule: Rule) -> Row:
    """With the least share of outcomes that any of its rows has."""
    end = found.begin + timedelta(seconds=rule.short_s)
    of = [row.details for row in rows if end - timedelta(seconds=rule.long_s) <= row.begin < end]
    known = [float(each["maturity"]) for each in of if each.get("maturity") is not None]
    return replace(found, details={**found.details, "maturity": min(known)}) if known else found


def objective(text: str) -> Fraction:
    """A share as a fraction of exactly the digits that are written.

    Raises ValueError.

    >>> objective("99.9 %") == objective("0.999") == Fraction(999, 1000)
    True
    """
    number, percent, rest = text.partition("%")
    try:
        share = Fraction(number.strip()) / (100 if percent else 1)
    except (ValueError, ZeroDivisionError):
        share = Fraction(0)
    if not 0 < share < 1 or rest.strip():
        raise ValueError(f"{text!r} is no objective: write a share between 0 and 1, such as 0.999 or 99.9%")
    return share


def _read(path: Path) -> Slo:
    try:
        said = yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)  # every scalar is the text that it is
    except OSError as error:
        what = f"this objective cannot be read: {error.strerror}"
        raise Refused(what, where=str(path), remedy="make it a file that can be read") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        _deny(str(path), f"it is no YAML: {' '.join(str(error).split())}", "write `key: value` lines")
    if not isinstance(said, dict) or not all(isinstance(value, str) for value in said.values()):
        _deny(str(path), "it is not names with values", f"write `key: value` lines: {', '.join(NEEDED)}")
    if unknown := next((key for key in said if key not in KEYS), ""):
        near = get_close_matches(unknown, KEYS, 1)
        meant = f"did you mean {near[0]}? " if near else ""
        _deny(str(path), f"it has the key {unknown}", f"{meant}there are {', '.join(KEYS)}")
    if lacking := [key for key in NEEDED if not said.get(key)]:
        _deny(str(path), f"it does not say {', '.join(lacking)}", f"write `{lacking[0]}: ...`")
    return Slo(name=path.stem, **_values(said, str(path)))


def _values(said: Mapping[str, str], where: str) -> dict[str, Any]:
    found: dict[str, Any] = {key: said[key] for key in ("title", "service", "monitor")}
    found |= {key: said[key] for key in ("subject", "owner", "runbook") if key in said}
    for key, field, read in (
        ("objective", "objective", objective),
        ("window", "window_s", durations.seconds),
        ("step", "step_s", durations.seconds),
        ("good", "good", lambda text: text if text in (SHARE, REST) else Threshold.of(text)),
    ):
        if key in said:
            try:
                found[field] = read(said[key])
            except ValueError as error:
                more = f", or {SHARE} or {REST} of a share" if key == "good" else ""
                _deny(where, f"it says {key}: {said[key]}", f"{error}{more}")
    return found | ({"segment": Segment.of(said["where"])} if "where" in said else {})


def _monitor(settings: Settings, slo: Slo, where: str) -> Monitor:
    """What the objective is about. Raises Refused, which names the objective's file, too."""
    try:
        return monitors.named(settings, slo.monitor)
    except Refused as error:
        _deny(where, f"it says monitor: {slo.monitor}", str(error))


def _check(slo: Slo, monitor: Monitor, where: str) -> None:
    """Raises Refused for what its monitor cannot say."""
    if not monitor.sql:
        remedy = "choose one with SQL: what is only estimated is no objective"
        _deny(where, f"monitor {monitor.name} has no SQL that a history could be asked by", remedy)
    if slo.good in (SHARE, REST) and monitor.unit is not Unit.SHARE:
        remedy = 'write a bound that is good, such as `good: "<= 200"`: then windows are counted'
        _deny(where, f"monitor {monitor.name} gives {monitor.unit}, no share", remedy)
    if bool(slo.subject) != bool(monitor.subject):
        needs = f"of one {' and '.join(monitor.subject)}" if monitor.subject else "of no subject"
        remedy = "write `subject: ...`" if monitor.subject else "leave `subject` out"
        _deny(where, f"a figure of monitor {monitor.name} is {needs}", remedy)
    if slo.step_s > LONGEST_STEP_S or LONGEST_STEP_S % slo.step_s or slo.step_s % 60 or slo.window_s % slo.step_s:
        remedy = "leave `step` out, or write 1m or 5m"
        _deny(where, f"steps of {durations.written(slo.step_s)} make no spans of five minutes", remedy)


def _deny(where: str, what: str, remedy: str) -> NoReturn:
    raise Refused(f"this is no objective: {what}", where=where, remedy=remedy)
