"""The monitor worker: of several one is active, and looks at all services again and again.

Who is active, the consumer group decides: whoever holds the one partition of the notes on alerts. Another holds it when
that worker is gone, and goes on from what it wrote.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import structlog
from clickhouse_connect.driver import Client

from weir.agents.monitor import gone
from weir.agents.monitor.books import MAX_RECORD_BYTES, READ_S, KafkaBooks, NotHeld
from weir.agents.monitor.rounds import Rounds
from weir.agents.worker.active import STANDBY_S, elected
from weir.agents.worker.host import parked_on_failure
from weir.core.chunk import LogPartition, Partition
from weir.core.errors import Unavailable
from weir.edges.bundles.owners import owners
from weir.edges.clickhouse import calibrations, monitors, slos
from weir.edges.clickhouse import client as clickhouse
from weir.edges.kafka.admin import bounds as bounds_by_name
from weir.edges.kafka.admin import partitions_of
from weir.edges.kafka.faust_app import ChunkApp, new_app
from weir.edges.kafka.log_reader import LogReader
from weir.edges.kafka.logs import LogWatch
from weir.edges.notify import receivers
from weir.edges.notify.notifier import Notifier
from weir.edges.schemas.contracts import contract_of
from weir.edges.schemas.registry import Registry
from weir.monitor.alert import Note
from weir.monitor.gate import Bounds
from weir.monitor.spec import Monitor
from weir.settings import Settings
from weir.telemetry import AlertSent, RoundEnded, Telemetry
from weir.wire.decode import Decoder

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Resources:
    """What a monitor worker holds open."""

    books: KafkaBooks
    notes: NoteReader
    notifier: Notifier

    def close(self) -> None:
        """Tell what waits to be told, for a few seconds, and let go of the rest."""
        self.books.close()
        self.notifier.close()


def open_monitor(settings: Settings, telemetry: Telemetry) -> Resources:
    """Opens what a monitor worker needs. ClickHouse may be away.

    Raises:
        Unavailable: registry or broker cannot be reached.
        Refused: a topic is missing, a contract is not what it should be, or receivers of alerts are not.
    """
    names = settings.kafka.names
    for topic in (names.measurements, names.alerts, names.alert_notes, names.actions):
        partitions_of(settings.kafka, topic)
    told = receivers.read(settings.paths.notify_file)
    return Resources(
        books=KafkaBooks(settings),
        notes=NoteReader(settings),
        notifier=Notifier(told, lambda name, outcome: telemetry.emit(AlertSent(receiver=name, outcome=outcome.value))),
    )


def new_monitor(settings: Settings, telemetry: Telemetry, resources: Resources) -> ChunkApp:
    """The app of a monitor worker. Called inside the event loop."""
    names = settings.kafka.names
    app = new_app(settings, names.monitor)
    rounds = Rounds(
        settings=settings,
        telemetry=telemetry,
        books=resources.books,
        monitors=Files(settings).read,
        connect=partial(_connect, settings),
        bounds=partial(_bounds, settings),
        notes=resources.notes.new,
        holds=elected(app, names.alert_notes),
        calibrated=calibrations.bounds,
        tell=resources.notifier.tell,
        now=lambda: datetime.now(UTC),
        monotonic_s=time.monotonic,
        worker=f"{socket.gethostname()}:{os.getpid()}",
        owners=partial(owners, settings),
        gone=partial(gone.why, settings),
    )
    app.task(partial(parked_on_failure, app, _work(rounds, resources.notes, settings.monitoring.monitor_every_s)))
    return app


async def _work(rounds: Rounds, notes: NoteReader, every_s: float) -> None:
    """One round after the other, as long as this worker is the active one. Raises Refused."""
    loop, active = asyncio.get_running_loop(), False
    with ThreadPoolExecutor(1, "monitor") as thread:
        while True:
            if not rounds.holds():
                rounds.left, active = None, False  # whoever is active writes meanwhile
                await asyncio.sleep(STANDBY_S)
                continue
            if not active:
                log.info("this monitor worker is the active one")
                notes.again()
                active = True
            computed = await loop.run_in_executor(thread, _round, rounds)
            await asyncio.sleep(0 if computed else every_s)


def _round(rounds: Rounds) -> int:
    """How many windows were computed; 0 of a round that was cut short: what was due is due again."""
    began_s, computed, failed = time.monotonic(), 0, False
    try:
        computed = rounds.look()
    except NotHeld:
        rounds.left = None
    except Unavailable as error:
        log.warning("monitors wait", reason=str(error))
        failed = True
    rounds.telemetry.emit(RoundEnded(seconds=time.monotonic() - began_s, failed=failed))
    return computed


class Files:
    """The files of monitors and of objectives, read at each look: a new one counts at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._told: set[str] = set()

    def read(self) -> dict[str, Monitor]:
        """Those that are monitors, and what is estimated; of other files the log says why not, once."""
        found, refused = monitors.known(self._settings)
        objectives, unfit = slos.looked(self._settings, found)
        for path, error in (refused | unfit).items():
            if str(error) not in self._told:
                self._told.add(str(error))
                log.error("a file is no monitor and no objective", file=str(path), reason=str(error))
        return {**found, **objectives}


class NoteReader:
    """What people say of alerts. One thread at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings, registry, self._topic = settings, Registry(settings.registry), settings.kafka.names.alert_notes
        decoder = Decoder(contract_of(settings, registry, self._topic), registry.schema_text)
        self._decode = partial(decoder.decode, max_bytes=MAX_RECORD_BYTES)
        self.again()

    def again(self) -> None:
        """Begin with the first that the log has."""
        self._log = LogReader(self._settings.kafka, Partition(self._topic, 0))

    def new(self) -> Iterator[Note]:
        """Those that have come since. Raises Unavailable."""
        return (Note.of(row) for row in self._decode(self._log.read(READ_S)).rows.to_pylist())


def _connect(settings: Settings) -> Client:
    client = clickhouse.connect(settings.recording)
    client.set_client_setting("max_execution_time", settings.monitoring.monitor_query_max_s)
    return client


def _bounds(settings: Settings, service: str) -> Bounds:
    """First offset and end of each partition of a service's requests; none where the topic is gone."""
    topic = settings.kafka.names.requests(service)
    found = LogWatch(settings.kafka, [topic]).now()
    if topic not in found:
        return {}
    log_id = found[topic]
    return {LogPartition(log_id, *source): bound for source, bound in bounds_by_name(settings.kafka, topic).items()}
