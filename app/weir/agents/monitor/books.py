"""What a monitor worker writes to Kafka, and reads again to go on from another: figures, alerts, actions."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Protocol

from clickhouse_connect.driver import Client
from typing_extensions import override

from weir.core.chunk import Partition
from weir.core.decoded import Decoded
from weir.core.times import BEGINNING
from weir.edges.clickhouse import measurements as recorded
from weir.edges.kafka.log_reader import LogReader
from weir.edges.kafka.logs import log_of
from weir.edges.kafka.producer import Producer
from weir.edges.schemas.contracts import contract_of
from weir.edges.schemas.registry import Registry
from weir.monitor.action import Action
from weir.monitor.alert import Transition
from weir.monitor.left import Left, Work
from weir.monitor.measurement import Measurement
from weir.settings import Settings
from weir.wire.decode import Decoder
from weir.wire.encode import Encoder

MAX_RECORD_BYTES: Final = 1_048_576  # max_message_bytes of these topics
READ_S: Final = 60.0  # what a recorder that was away for a day has not recorded is read within
SURE_S: Final = 1.0  # less than any session timeout: nobody takes over from a worker that wrote so lately


class NotHeld(Exception):
    """Another worker is the active one."""


class Books(Protocol):
    """Where figures and changes of alerts are written, each call durably and in order.

    Writing raises NotHeld where another worker has written since: what is to be gone on from must be asked again.
    """

    def left(self, client: Client, since: datetime, run: timedelta) -> tuple[Left, list[Measurement]]:
        """What is to be gone on from, and the measurements of the last window written and of `run` before it."""
        ...

    def measured(self, found: Sequence[Measurement]) -> None:
        """Write measurements."""
        ...

    def changed(self, changes: Sequence[Transition]) -> None:
        """Write changes of alerts."""
        ...

    def proposed(self, actions: Sequence[Action]) -> None:
        """Write actions."""
        ...


class KafkaBooks(Books):
    """On Kafka. One thread at a time. Raises Unavailable when Kafka does not answer within its budget.

    A worker that was asleep, with its machine or alone, believes to be active until it hears of its group again. So
    after a while without a write the logs are asked first whether another has written. monotonic_s: the clock of that.
    """

    def __init__(self, settings: Settings, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._kafka, names, registry = settings.kafka, settings.kafka.names, Registry(settings.registry)
        self._names = names
        topics = (names.measurements, names.alerts, names.actions)
        self._encoders = {topic: Encoder(contract_of(settings, registry, topic)) for topic in topics}
        self._decoders: dict[str, Callable[[Any], Decoded]] = {
            topic: partial(
                Decoder(contract_of(settings, registry, topic), registry.schema_text).decode,
                max_bytes=MAX_RECORD_BYTES,
            )
            for topic in topics
        }
        self._producer = Producer(settings.kafka, names.monitor)
        self._monotonic_s, self._sure_s = monotonic_s, -SURE_S
        self._readers: dict[str, LogReader] = {}

    def close(self) -> None:
        """Let go of the producer; what was written is delivered."""
        self._producer.close()

    def left(self, client: Client, since: datetime, run: timedelta) -> tuple[Left, list[Measurement]]:
        """What is recorded comes from ClickHouse, what is not yet from the log."""
        places = recorded.recorded(client)  # first: what is recorded from here on is read twice, and counts once
        found = recorded.left(client, since, self._names.outcomes)
        measured, place = self._behind(self._names.measurements, places)
        tail = [Measurement.of(row) for row in measured]
        if place is not None:
            found.last = place
        for one in tail:
            found.measured(one)
        for row in self._behind(self._names.alerts, places)[0]:
            found.changed(Transition.of(row))
        found.proposed.update(row["action_id"] for row in self._behind(self._names.actions, places)[0])
        return found, [] if found.last is None else _of(client, *found.last, run, tail)

    def _behind(
        self, topic: str, places: dict[tuple[str, str], tuple[int, Work, datetime]]
    ) -> tuple[list[dict[str, Any]], tuple[Work, datetime] | None]:
        """Records of a log behind those that are recorded; and of which window the last recorded one is, if any."""
        place = places.get((topic, log_of(self._kafka, topic)))
        reader = LogReader(self._kafka, Partition(topic, 0), None if place is None else place[0] + 1)
        self._readers[topic] = reader
        rows: list[dict[str, Any]] = self._decoders[topic](reader.read(READ_S)).rows.to_pylist()
        return rows, None if place is None else place[1:]

    @override
    def measured(self, found: Sequence[Measurement]) -> None:
        self._write(self._names.measurements, [one.row() for one in found])

    @override
    def changed(self, changes: Sequence[Transition]) -> None:
        self._write(self._names.alerts, [one.row() for one in changes])

    @override
    def proposed(self, actions: Sequence[Action]) -> None:
        self._write(self._names.actions, [one.row() for one in actions])

    def _write(self, topic: str, rows: Sequence[dict[str, Any]]) -> None:
        if not rows:
            return
        if self._monotonic_s() - self._sure_s > SURE_S and any(one.read(READ_S) for one in self._readers.values()):
            raise NotHeld
        self._producer.write(topic, 0, [self._encoders[topic].record(row) for row in rows])
        self._producer.flush()
        self._readers[topic].skip(len(rows))
        self._sure_s = self._monotonic_s()


def _of(client: Client, work: Work, begin: datetime, run: timedelta, tail: Sequence[Measurement]) -> list[Measurement]:
    """Figures of one monitor's windows from `run` before `begin` on: each window's and subject's latest."""
    since = max(begin - run, BEGINNING)
    found = {(one.begin_ms, one.key): one for one in recorded.of_work(client, work, since)}
    for one in tail:
        if Work(one.key.service, one.key.monitor, one.key.step_s) == work and one.begin_ms >= since.timestamp() * 1000:
            found[one.begin_ms, one.key] = one
    return list(found.values())
