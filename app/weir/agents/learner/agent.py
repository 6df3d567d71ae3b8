"""The learner worker: of several one is active, and learns from the outcomes of all services as they come.

Who is active, the consumer group decides: whoever holds the one partition of the snapshots. Another holds it when that
worker is gone, and goes on from what it wrote.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import structlog

from weir.agents.learner.books import NotHeld
from weir.agents.learner.kept import Kept
from weir.agents.learner.rounds import Rounds
from weir.agents.worker.active import STANDBY_S, elected
from weir.agents.worker.host import parked_on_failure
from weir.core.errors import Unavailable
from weir.edges.bundles.owners import owners
from weir.edges.clickhouse import client as clickhouse
from weir.edges.kafka.admin import partitions_of
from weir.edges.kafka.faust_transport import ChunkApp, new_app
from weir.edges.notify import receivers
from weir.edges.notify.notifier import Notifier
from weir.monitor.alert import AlertState, Severity, Transition, Watched
from weir.settings import Settings
from weir.telemetry import AlertSent, LearnerPublished, Telemetry

PAUSE_S: Final = 1.0  # after a failure
RUNBOOK: Final = "learner"

log = structlog.get_logger(__name__)


def open_learner(settings: Settings, telemetry: Telemetry) -> Notifier:
    """Who is told of learners that stop. ClickHouse may be away.

    Raises Unavailable when the broker cannot be reached; Refused when a topic is missing, or the receivers are none;
    ModuleNotFoundError where River is not installed.
    """
    import river  # noqa: F401, PLC0415 - an extra: better missed at the start than at the first learner

    names = settings.kafka.names
    for topic in (names.outcomes, names.labelled, names.learner_snapshots):
        partitions_of(settings.kafka, topic)
    told = receivers.read(settings.paths.notify_file)
    return Notifier(told, lambda name, outcome: telemetry.emit(AlertSent(receiver=name, outcome=outcome.value)))


def new_learner(settings: Settings, telemetry: Telemetry, notifier: Notifier) -> ChunkApp:
    """The app of a learner worker. Called inside the event loop."""
    names = settings.kafka.names
    app = new_app(settings, names.learner)
    rounds = Rounds(
        settings=settings,
        connect=partial(clickhouse.connect, settings.recording),
        now_ms=_now_ms,
        told=Told(settings, telemetry, notifier),
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


@dataclass(slots=True)
class Told:
    """Hears of states that were written: metrics, and one message for each learner that has stopped."""

    settings: Settings
    telemetry: Telemetry
    notifier: Notifier
    _stopped: dict[str, str] = field(default_factory=dict)

    def __call__(self, kept: Kept, row: Mapping[str, Any], at_ms: int) -> None:
        """A state, with its learner and when the newest outcome of its service came."""
        name = kept.learner.name
        self.telemetry.emit(
            LearnerPublished(
                service=row["service"],
                learner=name,
                learned=row["learned"],
                stopped=row["stop"] != "null",
                delay_s=max(0.0, (row["at"] - at_ms) / 1000),
            )
        )
        before = self._stopped.get(name, "null")
        self._stopped[name] = row["stop"]
        if row["stop"] == before:
            return
        if row["stop"] != "null":
            log.error("a learner has stopped", learner=name, **_plain(json.loads(row["stop"])))
        self.notifier.tell([self._transition(row, before)])

    def _transition(self, row: Mapping[str, Any], before: str) -> Transition:
        """As an alert: the guard and its evidence, or that the learner goes on."""
        said = row["stop"] if row["stop"] != "null" else before
        stop = json.loads(said)
        watched = Watched(
            service=row["service"],
            monitor=f"learner/{stop['guard']}",
            subject=row["learner"],
            owner=owners(self.settings).get(row["service"], ""),
            cause=f"learner {row['learner']}",
            runbook=RUNBOOK,
        )
        fires = row["stop"] != "null"
        return Transition(
            watched=watched,
            number=1 if fires else 2,
            alert_id=f"{watched.key}-{stop['outcomes']}",
            from_state=AlertState.OK if fires else AlertState.FIRING,
            to_state=AlertState.FIRING if fires else AlertState.RESOLVED,
            at_ms=row["at"],
            begin_ms=row["at"],
            end_ms=row["at"],
            severity=Severity.TICKET,
            sentence=f"Learner {row['learner']} has stopped: {stop['what']}" if fires else "The learner goes on",
            evidence=dict(stop),
        )


def _plain(stop: Mapping[str, Any]) -> dict[str, Any]:
    return {"guard": stop["guard"], "reason": stop["what"], "evidence": stop["evidence"], "kept": stop["outcomes"]}


def _now_ms() -> int:
    return round(time.time() * 1000)
