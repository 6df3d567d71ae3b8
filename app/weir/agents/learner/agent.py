"""The learner worker: of several one is active, and learns from the outcomes of all services as they come.

Who is active, the consumer group decides: whoever holds the one partition of the snapshots. Another holds it when that
worker is gone, and goes on from what it wrote.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import structlog

from weir.agents.learner.actions import Actions, Rule
from weir.agents.learner.alerts import Alerts
from weir.agents.learner.books import NotHeld
from weir.agents.learner.kept import Kept
from weir.agents.learner.rounds import Rounds
from weir.agents.worker.active import STANDBY_S, elected
from weir.agents.worker.host import parked_on_failure
from weir.core.errors import Unavailable
from weir.edges.bundles.owners import owners
from weir.edges.clickhouse import client as clickhouse
from weir.edges.kafka.admin import partitions_of
from weir.edges.kafka.faust_app import ChunkApp, new_app
from weir.edges.notify import receivers
from weir.edges.notify.notifier import Notifier
from weir.learn.learner import MONITOR
from weir.learn.proposals import INCIDENT, OVER
from weir.monitor.action import Action
from weir.monitor.alert import AlertState, Severity, Transition, Watched
from weir.settings import Settings
from weir.telemetry import AlertSent, LearnerPublished, Telemetry

PAUSE_S: Final = 1.0  # after a failure
NEWS_MS: Final = 3 * 86_400_000  # how old an action may be that people hear of
RUNBOOK: Final = "action"

log = structlog.get_logger(__name__)


def open_learner(settings: Settings, telemetry: Telemetry) -> Notifier:
    """Who is told of learners that stop. ClickHouse may be away.

    Raises Unavailable when the broker cannot be reached; Refused when a topic is missing, or the receivers are none;
    ModuleNotFoundError where River is not installed.
    """
    import river  # noqa: F401, PLC0415 - an extra: better missed at the start than at the first learner

    names = settings.kafka.names
    for topic in (names.outcomes, names.labelled, names.learner_snapshots, names.actions, names.alerts):
        partitions_of(settings.kafka, topic)
    told = receivers.read(settings.paths.notify_file)
    return Notifier(told, lambda name, outcome: telemetry.emit(AlertSent(receiver=name, outcome=outcome.value)))


def new_learner(settings: Settings, telemetry: Telemetry, notifier: Notifier, rule: Rule) -> ChunkApp:
    """The app of a learner worker. Called inside the event loop. rule: takes proposals, where a file says so."""
    names = settings.kafka.names
    app = new_app(settings, names.learner)
    connect, told = partial(clickhouse.connect, settings.recording), Told(settings, telemetry, notifier)
    rounds = Rounds(
        settings=settings,
        connect=connect,
        now_ms=_now_ms,
        told=told,
        actions=Actions(settings, told.actions, rule),
        alerts=Alerts(settings, connect, notifier.tell),
    )
    holds = elected(app, names.learner_snapshots)
    app.task(partial(parked_on_failure, app, _work(rounds, holds)))
    return app


async def _work(rounds: Rounds, holds: Callable[[], bool]) -> None:
    """One round after the other, as long as this worker is the active one. Raises Refused."""
    loop, active = asyncio.get_running_loop(), False
    with ThreadPoolExecutor(1, "learner") as thread:
        while True:
            if not holds():
                await loop.run_in_executor(thread, rounds.close)
                active = False
                await asyncio.sleep(STANDBY_S)
                continue
            if not active:
                log.info("this learner worker is the active one")
                active = True
            try:
                await loop.run_in_executor(thread, rounds.round)
            except NotHeld:
                log.warning("another worker writes the log of labelled outcomes, too: it is read anew")
            except Unavailable as error:
                log.warning("learners wait", reason=str(error))
                await asyncio.sleep(PAUSE_S)


@dataclass(frozen=True, slots=True)
class Told:
    """Hears of states that were written, for metrics, and of actions, for people."""

    settings: Settings
    telemetry: Telemetry
    notifier: Notifier

    def __call__(self, kept: Kept, row: Mapping[str, Any], at_ms: int) -> None:
        """A state, with its learner and when the newest outcome of its service came."""
        self.telemetry.emit(
            LearnerPublished(
                service=row["service"],
                learner=kept.learner.name,
                learned=row["learned"],
                stopped=row["stop"] != "null",
                delay_s=max(0.0, (row["at"] - at_ms) / 1000),
            )
        )

    def actions(self, found: Sequence[Action]) -> None:
        """Actions that are written; of a learner that reads an old log, those of long ago are told to nobody."""
        since_ms = _now_ms() - NEWS_MS
        self.notifier.tell([self._transition(one) for one in found if one.at_ms >= since_ms])

    def _transition(self, one: Action) -> Transition:
        """As receivers are told of alerts: under its own id; an incident's end is the end of what was told."""
        over = one.kind == OVER
        kind = INCIDENT if over else one.kind
        watched = Watched(
            service=one.service,
            monitor=f"{MONITOR}/{kind}",
            subject=one.proposed_by.removeprefix("learners/"),
            owner=owners(self.settings).get(one.service, ""),
            cause=f"{kind} {datetime.fromtimestamp(one.begin_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC",
            runbook=RUNBOOK,
        )
        return Transition(
            watched=watched,
            number=2 if over else 1,
            alert_id=f"{watched.key}-{one.begin_ms}",
            from_state=AlertState.FIRING if over else AlertState.OK,
            to_state=AlertState.RESOLVED if over else AlertState.FIRING,
            at_ms=one.at_ms,
            begin_ms=one.begin_ms,
            end_ms=one.end_ms,
            severity=Severity.TICKET,
            sentence=one.sentence,
            evidence=one.evidence,
        )


def _now_ms() -> int:
    return round(time.time() * 1000)
