"""Alerts that are pending or fire, the worst first, and those of one cause together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from clickhouse_connect.driver import Client

from weir.monitor import words
from weir.monitor.verdict import State, Verdict
from weir.operations import alerts

FIRING: Final = "firing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One that is pending or fires. since: begin of the window that began it; latest: of its last change; UTC."""

    alert_id: str
    key: str
    state: str
    severity: str
    service: str
    monitor: str
    subject: str
    segment: str
    owner: str
    cause: str
    runbook: str
    since: datetime
    latest: datetime
    sentence: str
    acknowledged_by: str
    silenced_by: str

    @property
    def fires(self) -> bool:
        """Whether it is more than a suspicion."""
        return self.state == FIRING

    @property
    def look(self) -> State:
        """How it is shown: an alarm where it fires and pages somebody."""
        return State.ALARM if self.fires and self.severity == "page" else State.LOOK


@dataclass(frozen=True, slots=True)
class Cause:
    """Alerts of one service and cause, the worst first; one without a cause is alone."""

    alerts: tuple[Alert, ...]

    @property
    def first(self) -> Alert:
        """The one to begin with."""
        return self.alerts[0]

    @property
    def beside(self) -> str:
        """What else it has brought."""
        return beside([" ".join(filter(None, (one.monitor, one.subject))) for one in self.alerts[1:]])


def live(client: Client, service: str = "") -> tuple[Alert, ...]:
    """What is pending or fires: what pages first, then the latest. Raises Unavailable, Refused."""
    return tuple(_alert(row) for row in alerts.listed(client, service))


def causes(found: Sequence[Alert]) -> tuple[Cause, ...]:
    """The alerts by cause, in the order of the first of each."""
    groups: dict[tuple[str, str], list[Alert]] = {}
    for one in found:
        groups.setdefault((one.service, one.cause or one.alert_id), []).append(one)
    return tuple(Cause(tuple(group)) for group in groups.values())


def beside(others: Sequence[str]) -> str:
    """What else has the same cause, by name; the first two, and how many more."""
    more = f" and {len(others) - 2} more" if len(others) > 2 else ""
    return f"with {', '.join(others[:2])}{more}" if others else ""


def verdict(found: Sequence[Alert]) -> Verdict:
    """How many fire, from how many causes, and how many are pending."""
    firing = [one for one in found if one.fires]
    pending = len(found) - len(firing)
    if not found:
        return Verdict(State.OK, "Nothing needs you: no alert is pending or fires.")
    tail = f" {words.many(pending, 'more')} {words.be(pending)} pending.".replace("mores", "more") if pending else ""
    if not firing:
        return Verdict(State.LOOK, f"Nothing fires. {words.many(pending, 'alert')} {words.be(pending)} pending.")
    of = len(causes(firing))
    verb = "fires" if len(firing) == 1 else "fire"
    from_ = f", from {words.many(of, 'cause')}" if len(firing) > 1 else ""
    state = State.ALARM if any(one.look is State.ALARM for one in firing) else State.LOOK
    return Verdict(state, f"{words.many(len(firing), 'alert')} {verb}{from_}.{tail}")


def _alert(row: dict[str, Any]) -> Alert:
    return Alert(
        alert_id=row["alert_id"],
        key=row["alert_key"],
        state=row["state"],
        severity=row["severe"],
        service=row["of_service"],
        monitor=row["of_monitor"],
        subject=row["of_subject"],
        segment=row["of_segment"],
        owner=row["of_owner"],
        cause=row["of_cause"],
        runbook=row["entry"],
        since=row["since"].astimezone(UTC),
        latest=row["latest"].astimezone(UTC),
        sentence=row["said"],
        acknowledged_by=row["acknowledged_by"],
        silenced_by=row["silenced_by"],
    )
