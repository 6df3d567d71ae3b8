"""Objectives as the project's files say them, and their history by their monitors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, NoReturn

import yaml
from clickhouse_connect.driver import Client

from weir.core.errors import Refused
from weir.edges.clickhouse import monitors
from weir.monitor import durations
from weir.monitor.segment import Segment
from weir.monitor.slo import REST, SHARE, History, Slo
from weir.monitor.spec import Asked, Monitor, Unit
from weir.monitor.threshold import Threshold
from weir.settings import Settings

NEEDED: Final = ("title", "service", "objective", "window", "monitor", "good")
KEYS: Final = (*NEEDED, "subject", "step", "where", "owner", "runbook")
LONGEST_STEP_S: Final = 300  # the shortest span of a burn rate


def files(settings: Settings) -> dict[str, Slo]:
    """All objectives of the project by name. Raises Refused for the first file that is none, or names no monitor."""
    found = [_read(path) for path in sorted(settings.paths.slos_dir.glob("*.yaml"))]
    for one in found:
        _check(one, monitors.named(settings, one.monitor), str(settings.paths.slos_dir / f"{one.name}.yaml"))
    return {one.name: one for one in found}


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


def history(client: Client, slo: Slo, monitor: Monitor, begin: datetime, end: datetime) -> History:
    """What its monitor says of the time from `begin` until before `end`. Raises Unavailable, Refused."""
    asked = Asked(
        service=slo.service, begin=begin, end=end, step_s=slo.step_s, segment=slo.segment, subject=slo.subject
    )
    rows = [row for row in monitors.run(client, monitor, asked) if row.subject == slo.subject]
    return History(slo, rows, begin, end)


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


def _check(slo: Slo, monitor: Monitor, where: str) -> None:
    """Raises Refused for what its monitor cannot say."""
    if slo.good in (SHARE, REST) and monitor.unit is not Unit.SHARE:
        remedy = 'write a bound that is good, such as `good: "<= 200"`: then windows are counted'
        _deny(where, f"monitor {monitor.name} gives {monitor.unit}, no share", remedy)
    if bool(slo.subject) != bool(monitor.subject):
        needs = f"of one {' and '.join(monitor.subject)}" if monitor.subject else "of no subject"
        remedy = "write `subject: ...`" if monitor.subject else "leave `subject` out"
        _deny(where, f"a figure of monitor {monitor.name} is {needs}", remedy)
    if slo.step_s > LONGEST_STEP_S or LONGEST_STEP_S % slo.step_s or slo.window_s % slo.step_s:
        remedy = "leave `step` out, or write 1m or 5m"
        _deny(where, f"steps of {durations.written(slo.step_s)} make no spans of five minutes", remedy)


def _deny(where: str, what: str, remedy: str) -> NoReturn:
    raise Refused(f"this is no objective: {what}", where=where, remedy=remedy)
