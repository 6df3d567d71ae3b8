"""The learner worker: of several one is active, and learns from the outcomes of all services as they come.

Who is active, the consumer group decides: whoever holds the one partition of the snapshots. Another holds it when that
worker is gone, and goes on from what it wrote.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import structlog

from weir.agents.learner.books import NotHeld
from weir.agents.learner.kept import Kept
from weir.agents.learner.rounds import Rounds
from weir.agents.worker.host import parked_on_failure
from weir.core.chunk import Partition
from weir.core.errors import Unavailable
from weir.edges.bundles.owners import owners
from weir.edges.clickhouse import client as clickhouse
from weir.edges.kafka.admin import partitions_of
from weir.edges.kafka.faust_transport import ChunkApp, chunk_topic, new_app
from weir.edges.notify import receivers
from weir.edges.notify.notifier import Notifier
from weir.monitor.alert import AlertState, Severity, Transition, Watched
from weir.settings import Settings
from weir.telemetry import AlertSent, LearnerPublished, Telemetry

STANDBY_S: Final = 0.5  # how late a worker notices that it has become the active one
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
    app, holding = new_app(settings, names.learner), Partition(names.learner_snapshots, 0)

    async def heard(stream: Any) -> None:
        await parked_on_failure(app, _pass(app, stream))

    rounds = Rounds(
        settings=settings,
        connect=partial(clickhouse.connect, settings.recording),
        now_ms=_now_ms,
        told=Told(settings, telemetry, notifier),
    )
    app.agent(chunk_topic(app, names.learner_snapshots), name="snapshots")(heard)
    app.task(partial(parked_on_failure, app, _work(app, rounds, holding)))
    return app


async def _pass(app: ChunkApp, stream: Any) -> None:
    """The snapshots are read from their log; that they come through the group says who is active."""
    async for event in stream.events():
        for chunk in event.value:
            if app.begin(chunk):
                app.ack(chunk)


async def _work(app: ChunkApp, rounds: Rounds, holding: Partition) -> None:
    """One round after the other, as long as this worker is the active one. Raises Refused."""
    loop, active = asyncio.get_running_loop(), False
    with ThreadPoolExecutor(1, "learner") as thread:
        while True:
            if holding not in app.progress() or app.failure is not None or app.should_stop:
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
