"""What watches the flights: Weir's monitors in its monitor worker's rounds, set as the owners of this service would.

Weather, holidays and timetables move inputs all the year, so a week is compared with the four weeks before it. A week
unlike those is common: from February to June the greatest PSI of any input in any week was 5.2. An input whose unit
changes has one above 8. So PAGE stands between them, and what is above WARN waits for the morning.

Whether the model is still right, outcomes say: of the flights to which it gives a chance between one tenth and the
next, no greater share than that next tenth may be late, as far as days that go together let it be known.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

import structlog
from clickhouse_connect.driver import Client

from weir.agents.monitor.books import KafkaBooks
from weir.agents.monitor.rounds import Rounds
from weir.demo.signature import SERVICE, VALUE
from weir.edges.clickhouse import client as clickhouse
from weir.edges.clickhouse import monitors, results
from weir.edges.kafka.logs import bounds_of
from weir.monitor import telling
from weir.monitor.alert import AlertState, Severity, Transition
from weir.monitor.baseline import Against, Baseline
from weir.monitor.judge import Bounds
from weir.monitor.spec import Monitor
from weir.monitor.threshold import Threshold
from weir.settings import Settings
from weir.telemetry import Telemetry

WEEK_S: Final = 7 * 86_400
WHOLE_WEEK: Final = 5_000  # flights; a week that is cut short has other weekdays than those before it
WEEKS: Final = 60  # a year of them, and more than are replayed
DRIFT: Final = ("drift/features", "drift/categories", "drift/score", "drift/decisions")
SEASON: Final = Baseline(Against.SEASON, "hour_of_week")
WARN, PAGE = Threshold(">", 3.0), Threshold(">", 6.0)
CALIBRATION: Final = "outcome/calibration"
LATE_SHARE: Final = {  # class/tenth -> the greatest chance in it
    f"positive/{tenth / 10:g}": Bounds(page=Threshold(">", (tenth + 1) / 10)) for tenth in range(9)
}
COMPLETE: Final = "ledger/complete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """What somebody was told at once: alerts of one monitor, window and severity that began to fire, or became worse.

    at: end of the window. subjects: what they are about. sentence: of the first of them.
    """

    at: datetime
    severity: Severity
    monitor: str
    subjects: tuple[str, ...]
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What the monitor worker found. windows: that it computed, over all monitors. alarms: by time."""

    windows: int
    alarms: tuple[Alarm, ...]


def chosen(settings: Settings) -> dict[str, Monitor]:
    """The monitors, by name: files of Weir, in weeks."""
    files = monitors.files(settings)
    season = {
        name: replace(files[name], window_s=WEEK_S, baseline=SEASON, minimum=WHOLE_WEEK, warn=WARN, page=PAGE)
        for name in DRIFT
    }
    return season | {name: replace(files[name], window_s=WEEK_S) for name in (CALIBRATION, COMPLETE)}


def watch(settings: Settings, client: Client) -> Watched:
    """Compute every window of the replayed time that is complete. Raises Unavailable, Refused."""
    results.make(client, {SERVICE: VALUE})
    told: list[Transition] = []
    books = KafkaBooks(settings)
    rounds = Rounds(
        settings=settings.having(monitor_first_windows=WEEKS),
        telemetry=Telemetry(),
        books=books,
        monitors=partial(chosen, settings),
        connect=partial(clickhouse.connect, settings.recording),
        bounds=lambda service: bounds_of(settings.kafka, settings.kafka.names.requests(service)),
        notes=lambda: (),
        holds=lambda: True,
        calibrated=_bounds,
        tell=told.extend,
        tells_past=True,
        now=lambda: datetime.now(UTC),
        monotonic_s=time.monotonic,
        worker=f"{socket.gethostname()}:{os.getpid()}",
    )
    try:
        with _quietly():
            windows = rounds.look()
    finally:
        books.close()
    return Watched(windows=windows, alarms=tuple(alarms(told)))


@contextmanager
def _quietly() -> Iterator[None]:
    """Without what a worker says of how often it looks: it looks once."""
    said = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    try:
        yield
    finally:
        structlog.configure(**said)


def _bounds(_client: Client, _service: str) -> Mapping[str, Mapping[str, Bounds]]:
    return {CALIBRATION: LATE_SHARE}


def alarms(changes: Sequence[Transition]) -> list[Alarm]:
    """What people hear of these changes of alerts, in the order of its time.

    A worker that is not behind tells a window of a monitor at a time; one that catches up tells of many at once. Who is
    paged hears of pages alone.
    """
    firing = [one for one in changes if telling.is_told(one) and one.to_state is AlertState.FIRING]
    firing.sort(key=lambda one: (one.at_ms, one.watched.monitor, one.severity))
    moments: dict[tuple[int, str, Severity], list[Transition]] = {}
    for one in firing:
        moments.setdefault((one.at_ms, one.watched.monitor, one.severity), []).append(one)
    return [_alarm(group) for moment in moments.values() for group in telling.grouped(moment)]


def _alarm(group: Sequence[Transition]) -> Alarm:
    first = group[0]
    return Alarm(
        at=datetime.fromtimestamp(first.at_ms / 1000, UTC),
        severity=first.severity,
        monitor=first.watched.monitor,
        subjects=tuple(one.watched.subject for one in group),
        sentence=first.sentence,
    )
