"""Alerts as pages show them: what each is about, and its figure asked again from its monitor."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from weir.core.errors import Refused
from weir.core.numbers import figure
from weir.edges.clickhouse import calibrations
from weir.monitor import false_alarms
from weir.monitor.burn import BurnMonitor
from weir.monitor.false_alarms import Expected
from weir.monitor.segment import EVERYTHING, Segment
from weir.monitor.spec import Monitor
from weir.monitor.threshold import Threshold
from weir.web.console import objectives
from weir.web.console.asking import MEANING_S, Asker
from weir.web.console.frame import listed
from weir.web.console.view import STEPS_S

STATES: Final = {"firing": "alarm", "pending": "look", "resolved": "unknown", "ok": "unknown"}
ROOM: Final = timedelta(hours=6)  # beside what happened, at least
WINDOWS: Final = 60  # of the evidence
NAMED: Final = ("psi", "auc", "ks")  # units of figures that have none to write behind them


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """One alert. since: begin of its first window; until: when it was over, None while it is not.

    value: of its latest window [begin, end). silenced: by which note, "" for none.
    """

    id: str
    key: str
    service: str
    monitor: str
    subject: str
    segment: str
    state: str
    severity: str
    owner: str
    cause: str
    runbook: str
    said: str
    since: datetime
    until: datetime | None
    begin: datetime
    end: datetime
    value: float | None
    seen_by: str
    silenced: str

    @staticmethod
    def of(row: Mapping[str, Any]) -> About:
        """From a row of alerts/list."""
        begin, end = (_utc(each) for each in _pair(row["measured"]))
        plain = ("service", "monitor", "subject", "segment", "owner", "cause")
        proof = json.loads(row["proof"] or "{}")
        value = proof.get("value") if isinstance(proof, dict) else None
        over = row["state"] not in ("pending", "firing")
        return About(
            id=row["alert_id"],
            key=row["alert_key"],
            **{name: row[f"of_{name}"] for name in plain},
            state=row["state"],
            severity=row["severe"],
            runbook=row["entry"],
            said=row["said"],
            since=_utc(row["since"]),
            until=_utc(row["latest"]) if over else None,
            begin=begin,
            end=end,
            value=float(value) if isinstance(value, int | float) else None,
            seen_by=row["acknowledged_by"],
            silenced=row["silenced_by"],
        )

    @property
    def kind(self) -> str:
        """Its state as panels say states."""
        return STATES.get(self.state, "unknown")

    @property
    def name(self) -> str:
        """Its monitor and subject."""
        return " ".join(filter(None, (self.monitor, self.subject)))

    @property
    def title(self) -> str:
        """What happened, without its limit."""
        return self.said.partition(";")[0] or self.monitor

    @property
    def why(self) -> str:
        """What it is held to."""
        rest = self.said.partition(";")[2].strip()
        return f"{rest[0].upper()}{rest[1:]}." if rest else ""

    @property
    def segments(self) -> Segment:
        """The part of the traffic that it is about."""
        return Segment.of(self.segment) if self.segment else EVERYTHING

    def lasts_s(self, now: datetime) -> float:
        """For how long it was, or is."""
        return ((self.until or now) - self.since).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A monitor's figures around an alert, asked again. values: one a window from begin on; None where it says none.

    subject: that it was asked of alone; empty where it gives all of them.
    """

    monitor: Monitor
    begin: datetime
    end: datetime
    step_s: int
    values: Sequence[float | None]
    bound: Threshold | None
    subject: str = ""

    @property
    def times(self) -> list[int]:
        """Begin of each window, seconds since 1970."""
        return [int(self.begin.timestamp()) + self.step_s * place for place in range(len(self.values))]

    def part(self, one: About) -> tuple[float, float]:
        """Where the alert lies in it, as shares of its width."""
        whole = (self.end - self.begin).total_seconds()
        until = min(one.until or self.end, self.end)
        return tuple(min(1.0, max(0.0, (at - self.begin).total_seconds() / whole)) for at in (one.since, until))  # type: ignore[return-value]


def alerts(asker: Asker, service: str = "") -> list[About]:
    """All of them, what fires and pages first. Raises Unavailable, Refused."""
    return [About.of(row) for row in listed(asker, service)]


def named(asker: Asker, which: str) -> About | None:
    """One by its id or key, or by how one of these begins; of a key the latest. Raises Unavailable, Refused."""
    found = [one for one in alerts(asker) if which and (one.id.startswith(which) or one.key.startswith(which))]
    exact = [one for one in found if which in (one.id, one.key)]
    return max(exact or found, key=lambda one: one.since, default=None)


def evidence(asker: Asker, one: About, now: datetime, windows: int = WINDOWS) -> Evidence | None:
    """Its figure before, while and after it was; None of what no file says. Of an objective what the worker has found.

    Raises Unavailable; Refused where the monitor cannot be asked so any more.
    """
    monitor = held_by(asker, one)
    if monitor is None:
        return None
    room = max(ROOM, timedelta(seconds=one.lasts_s(now)))
    begin, end = one.since - room, min(now, (one.until or now) + room / 3)
    step_s = _step(max((one.end - one.begin).total_seconds(), 60), (end - begin).total_seconds(), windows)
    begin, end = _down(begin, step_s), _down(end + timedelta(seconds=step_s - 1), step_s)
    bound, _ = held_to(asker, one, monitor)
    if isinstance(monitor, BurnMonitor):
        values = _found(asker, one, begin, end, step_s)
        return Evidence(monitor=monitor, begin=begin, end=end, step_s=step_s, values=values, bound=bound)
    asked: dict[str, Any] = {"service": one.service, "begin": begin, "end": end, "step_s": step_s}
    if one.subject and "subject" in monitor.parameters and "/" not in one.subject:
        asked["subject"] = one.subject
    rows = asker.of(monitor, **asked, segment=one.segments)
    of = {row.begin: row.value for row in rows if row.subject == one.subject}
    return Evidence(
        monitor=monitor,
        begin=begin,
        end=end,
        step_s=step_s,
        values=_by_window(of, begin, end, step_s),
        bound=bound,
        subject=asked.get("subject", ""),
    )


def held_by(asker: Asker, one: About) -> Monitor | None:
    """The monitor that an alert is of: a file's, or an objective's; None where there is none any more."""
    return asker.monitors().get(one.monitor) or objectives.burns(asker).get(one.monitor)


def held_to(asker: Asker, one: About, monitor: Monitor) -> tuple[Threshold | None, Expected | None]:
    """What its figure is held to, calibrated or the monitor's own, and the false alarms that may be expected of it.

    Raises Unavailable, Refused.
    """
    severity = "page" if monitor.page and (one.severity == "page" or not monitor.warn) else "warn"
    known = asker.once(
        ("calibrated", one.service),
        MEANING_S,
        lambda: asker.ask(lambda client: calibrations.latest(client, one.service)),
    )
    of = known.get(monitor.name, {}).get(severity)
    return false_alarms.bound_of(monitor, severity, one.subject, of), false_alarms.expected(monitor, severity, of)


def tried(asker: Asker, one: About, now: datetime, windows: int = WINDOWS) -> Evidence | None:
    """The same, and None where the monitor refuses: of a list one line without its evidence says enough."""
    try:
        return evidence(asker, one, now, windows)
    except Refused:
        return None


def measured(asker: Asker, one: About) -> str:
    """Its latest figure, with its unit: "PSI 0.36", "8.1 ms"."""
    monitor = held_by(asker, one)
    unit = monitor.unit.value if monitor else "number"
    said = figure(one.value, unit)
    return f"{unit.upper()} {said}" if unit in NAMED and one.value is not None else said


def _found(asker: Asker, one: About, begin: datetime, end: datetime, step_s: int) -> list[float | None]:
    """What the worker has found of an objective: to ask anew is a question over its whole history."""
    asked = {"service": one.service, "monitor": one.monitor, "from": begin, "to": end, "step": step_s}
    by = {_utc(row["begin"]): row["value"] for row in asker.sql("alerts/measured", **asked)}
    return _by_window(by, begin, end, step_s)


def _by_window(by: Mapping[datetime, float | None], begin: datetime, end: datetime, step_s: int) -> list[float | None]:
    count = int((end - begin).total_seconds()) // step_s
    return [by.get(begin + timedelta(seconds=step_s * place)) for place in range(count)]


def _step(own_s: float, span_s: float, windows: int) -> int:
    """Its own windows where these are not too many; else longer ones."""
    fitting = [step for step in sorted({int(own_s), *STEPS_S}) if step >= own_s and span_s / step <= windows]
    return fitting[0] if fitting else STEPS_S[-1]


def _down(time: datetime, step_s: int) -> datetime:
    return datetime.fromtimestamp(int(time.timestamp()) // step_s * step_s, UTC)


def _pair(value: Any) -> tuple[Any, Any]:
    """A tuple of ClickHouse comes from Arrow as a dict."""
    first, second = value.values() if isinstance(value, dict) else value
    return first, second


def _utc(time: datetime | int) -> datetime:
    return datetime.fromtimestamp(time, UTC) if isinstance(time, int) else time.astimezone(UTC)
