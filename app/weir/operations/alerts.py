"""Alerts as they are recorded, and the silences in force."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Final

from clickhouse_connect.driver import Client

from weir.core.times import BEGINNING, END
from weir.edges.clickhouse import calibrations, monitors, slos, sql_files
from weir.learn.learner import MONITOR as LEARNER
from weir.monitor import burn, false_alarms
from weir.monitor.alert import Note, Severity, Transition
from weir.monitor.assess import QUERY
from weir.monitor.false_alarms import Expected
from weir.monitor.telling import in_force
from weir.operations import diagnose
from weir.settings import Settings

LIVE: Final = ("pending", "firing")
MOST: Final = 100_000
BOUNDS: Final = {Severity.PAGE: "page", Severity.TICKET: "warn"}  # severity of an alert -> bound that it crossed


def listed(
    client: Client, service: str = "", states: Collection[str] = LIVE, limit: int = 1000
) -> list[dict[str, Any]]:
    """Alerts in these states, what fires and pages first; all of them where `states` is empty.

    service: of one alone; empty for all. Raises Unavailable, Refused.
    """
    asked = {"service": service, "from": BEGINNING, "to": END, "limit": MOST}
    rows = sql_files.rows(client, "alerts/list", **asked)
    return [row for row in rows if not states or row["state"] in states][:limit]


def transitions(client: Client, which: str) -> list[Transition]:
    """What became of one alert, named by its id, its key or how one begins. Raises Unavailable, Refused."""
    found = diagnose.alert(client, which)
    return [Transition.of(row) for row in sql_files.rows(client, "alerts/transitions", alert=found.alert_id)]


def held_to(settings: Settings, client: Client, one: Transition) -> tuple[str, Expected | None]:
    """What an alert's figure is held to, in words, and the false alarms of that; empty of what no file says.

    Raises Unavailable, Refused.
    """
    about = one.watched
    files = monitors.known(settings)[0]
    monitor = files.get(about.monitor) or slos.looked(settings, files)[0].get(about.monitor)
    if monitor is None or about.subject == QUERY:
        return "", None
    severity = BOUNDS[one.severity]
    of = calibrations.latest(client, about.service).get(monitor.name, {}).get(severity)
    bound = false_alarms.bound_of(monitor, severity, about.subject, of)
    limit = f"{bound}{' (calibrated)' if of and about.subject in of.bounds else ''}" if bound else ""
    return limit or ("its own last windows" if monitor.usual else ""), false_alarms.expected(monitor, severity, of)


def silences(client: Client, at: datetime) -> list[Note]:
    """Those in force, as far as they are recorded. Raises Unavailable, Refused."""
    notes = [Note.of(row) for row in sql_files.rows(client, "alerts/notes")]
    return in_force(notes, round(at.timestamp() * 1000))


def ask_again(one: Transition) -> str:
    """The command that shows an alert's figure again, over its window."""
    about = one.watched
    begin, end = (datetime.fromtimestamp(ms / 1000, UTC).isoformat() for ms in (one.begin_ms, one.end_ms))
    if about.monitor == LEARNER:
        return shlex.join(["weir", "learners", "show", about.subject])
    if about.monitor.startswith(burn.FOLDER):
        return shlex.join(["weir", "slo", "status", about.monitor.split("/")[1], "--at", end])
    words = ["weir", "monitors", "run", about.monitor, "--service", about.service, "--from", begin, "--to", end]
    return shlex.join([*words, *(["--where", about.segment] if about.segment else [])])


def saw(one: Transition) -> str:
    """What the guard saw that stopped a learner; empty of other alerts, whose figure is asked for again."""
    if one.watched.monitor != LEARNER or not one.evidence:
        return ""
    evidence = one.evidence.get("evidence") or {}
    return ", ".join([f"guard {one.evidence['guard']}", *(f"{name} {value}" for name, value in evidence.items())])
