"""Replays real flights through Kafka: events, requests and outcomes, in lockstep by simulated hour, then a burst.

The replay stands outside of Weir, as its users do: it produces to topics, counts what is answered, and sends
outcomes back by the ids of its own requests.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from confluent_kafka import Consumer, Message, TopicPartition

from weir.core.arrow import replaced
from weir.core.errors import Unavailable
from weir.demo.flights import HOUR_MS, Flights, Progress
from weir.demo.project import events_topic
from weir.edges.features.store.record_store import RecordStore
from weir.edges.kafka.admin import partitions_of
from weir.edges.kafka.client import client_config
from weir.edges.kafka.producer import Producer
from weir.edges.schemas.contracts import contract_of
from weir.edges.schemas.registry import Registry
from weir.settings import Settings
from weir.wire.decode import Decoder
from weir.wire.encode import Encoder

STEP_S = 60.0  # no step of an hour takes longer than this, unless a worker has stopped
LOOK_S = 0.0002  # pause between two looks at the online store's watermark: one costs 20 us
FETCH_WAIT_MS = 1  # the replay waits for every answer, and the embedded broker never answers a fetch early

Times = npt.NDArray[np.int64]


@dataclass
class Tally:
    """What the replay has seen. seconds: by phase."""

    produced: int = 0
    read: int = 0
    scored: int = 0
    rejected: int = 0
    outcomes: int = 0
    hours: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


class Replay:
    """One replay over a running stack. check: raises when a worker has died; called while waiting."""

    def __init__(self, settings: Settings, store: RecordStore, check: Callable[[], None]) -> None:
        self._settings, self._store, self._check = settings, store, check
        names = settings.kafka.names
        self._names, self._requests = names, names.requests(settings.scoring.service)
        self._events = events_topic(settings)
        self._partitions = partitions_of(settings.kafka, self._requests)
        registry = Registry(settings.registry)
        self._encoders = {
            topic: Encoder(contract_of(settings, registry, topic))
            for topic in (self._requests, self._events, names.outcomes)
        }
        self._ledger = Decoder(contract_of(settings, registry, names.ledger), registry.schema_text)
        self._producer = Producer(settings.kafka, "weir-demo")
        self._consumer = Consumer(
            client_config(settings.kafka, "weir-demo")
            | {
                "group.id": "weir-demo",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": FETCH_WAIT_MS,
            }
        )
        topics = (names.ledger, names.predictions, names.dead_letters)
        sources = [(topic, partition) for topic in topics for partition in range(self._partitions)]
        self._consumer.assign([TopicPartition(*source, 0) for source in sources])
        self._answered = 0
        self.tally = Tally()

    def close(self) -> None:
        """Let go of the broker."""
        self._producer.close()
        self._consumer.close()

    def warm_up(self, flights: Flights, until_hour: int, progress: Progress) -> None:
        """Send the events of the whole year, and release those up to a clock hour to the feature worker."""
        began = time.monotonic()
        self._store.set_clock_us(until_hour * HOUR_MS * 1000)
        events, topic = flights.events, self._events
        size = max(1, events.num_rows // 20)
        for begin in range(0, events.num_rows, size):
            self._write(topic, 0, self._encode(topic, events.slice(begin, size)))
            progress(min(begin + size, events.num_rows), events.num_rows, "events of the year")
        self._producer.flush()
        self._release(until_hour)
        self.tally.seconds["warm_up"] = time.monotonic() - began

    def run(self, flights: Flights, first_row: int, rows: int, progress: Progress) -> None:
        """Requests [first_row, first_row + rows) hour by hour, with the outcomes of their time.

        Of each hour: events up to its full hour are applied, then its requests are produced, then all are answered.
        An hour goes to one partition and the next to another, as the sticky partitioner of Kafka's clients does with
        what is produced together. Outcomes of earlier hours go out while the scorer works.
        """
        began = time.monotonic()
        chosen = flights.requests.slice(first_row, rows)
        hours = chosen["clock_hour"].to_numpy()
        values = self._encode(self._requests, chosen)
        landed = _Landings(flights, first_row, rows)
        ids = chosen["request_id"]
        bounds = np.flatnonzero(np.diff(hours, prepend=hours[0] - 1))
        ends = np.append(bounds[1:], len(hours))
        for begin, end in zip(bounds, ends, strict=True):
            hour = int(hours[begin])
            self._release(hour)
            self._write(self._requests, self.tally.hours % self._partitions, values[begin:end])
            self._producer.flush()
            self.tally.produced += int(end - begin)
            self._send_outcomes(landed.until(hour), ids)
            self._await_answers()
            self.tally.hours += 1
            if self.tally.hours % 50 == 0:
                progress(int(end), rows, "flights")
        progress(rows, rows, "flights")
        self._await_ledger()
        self._send_outcomes(landed.until(None), ids)
        self._producer.flush()
        self.tally.seconds["replay"] = time.monotonic() - began

    def burst(self, flights: Flights, rows: npt.NDArray[np.int64], at_ms: int, progress: Progress) -> None:
        """The requests of these rows again, all at one event time, as fast as they go.

        The clock runs from the first request produced to the last answer in the ledger.
        """
        again = flights.requests.take(pa.array(rows))
        numbers = pc.utf8_lpad(pc.cast(pa.array(np.arange(len(rows))), pa.string()), 7, "0")
        ids = pc.binary_join_element_wise("burst", numbers, again["request_id"], "-")
        again = replaced(again, "request_id", ids)
        times = pa.array(np.full(len(rows), at_ms), pa.timestamp("ms", tz="UTC"))
        again = replaced(again, "event_time", times)
        parts = _spread(self._encode(self._requests, again), self._partitions)
        self._consumer.pause(
            [TopicPartition(self._names.predictions, partition) for partition in range(self._partitions)]
        )
        before = self.tally.read
        began = time.monotonic()
        size = 5_000
        for begin in range(0, max(map(len, parts)), size):
            for partition, part in enumerate(parts):
                self._write(self._requests, partition, part[begin : begin + size])
            self._producer.flush()
        self.tally.produced += len(rows)
        while self.tally.read < self.tally.produced:
            self._poll()
            progress(self.tally.read - before, len(rows), "requests at full speed")
        self.tally.seconds["burst"] = time.monotonic() - began

    # ---- one step

    def _encode(self, topic: str, table: pa.Table) -> list[bytes]:
        encoder = self._encoders[topic]
        wanted = {name: table[name] if name in table.column_names else None for name in encoder.schema.names}
        n = table.num_rows
        columns = [
            pa.nulls(n, encoder.schema.field(name).type) if column is None else column.combine_chunks()
            for name, column in wanted.items()
        ]
        return encoder.encode(
            pa.RecordBatch.from_arrays(
                [c.chunk(0) if isinstance(c, pa.ChunkedArray) else c for c in columns], names=list(wanted)
            )
        )

    def _write(self, topic: str, partition: int, values: list[bytes]) -> None:
        if values:
            self._producer.write(topic, partition, values)

    def _release(self, hour: int) -> None:
        """Let time come to a full hour, and wait until the features are what they were then."""
        target_us, deadline = hour * HOUR_MS * 1000, time.monotonic() + STEP_S
        self._store.set_clock_us(target_us)
        while self._store.watermark_us() < target_us:
            self._expect(deadline, "the feature worker to apply an hour of events")
            time.sleep(LOOK_S)

    def _await_answers(self) -> None:
        deadline = time.monotonic() + STEP_S
        while self._answered < self.tally.produced:
            self._poll()
            self._expect(deadline, "the scorer to answer an hour of requests")

    def _await_ledger(self) -> None:
        deadline = time.monotonic() + STEP_S
        while self.tally.read < self.tally.produced:
            self._poll()
            self._expect(deadline, "the ledger to hold what was answered")

    def _expect(self, deadline: float, what: str) -> None:
        if time.monotonic() > deadline:
            self._check()
            raise Unavailable(
                f"waited {STEP_S:.0f} s in vain for {what}",
                where=str(self._settings.paths.home / "logs"),
                remedy="read the workers' logs there",
            )

    def _poll(self) -> None:
        """Take what has come: ledger entries and answers are counted."""
        first = self._consumer.poll(0.05)
        if first is None:
            return
        messages = [first, *self._consumer.consume(10_000, 0)]
        failed = next((error for error in map(Message.error, messages) if error is not None), None)
        if failed is not None:
            raise Unavailable(f"the demo cannot read its answers: {failed.str()}", remedy="see the broker's log")
        entries = [message.value() for message in messages if message.topic() == self._names.ledger]
        self._answered += sum(message.topic() != self._names.ledger for message in messages)
        if entries:
            rows = self._ledger.decode(entries, self._settings.scoring.max_record_bytes).rows
            self.tally.read += pc.sum(rows.column("read")).as_py()
            self.tally.scored += pc.sum(rows.column("scored")).as_py()
            self.tally.rejected += pc.sum(rows.column("rejected")).as_py()

    def _send_outcomes(self, landed: pa.Table, request_ids: pa.ChunkedArray) -> None:
        """Outcomes of flights that have landed."""
        n = landed.num_rows
        if not n:
            return
        said = {"service": self._settings.scoring.named_service, "revision": 0, "withdrawn": False}
        for name, value in said.items():
            landed = landed.append_column(name, pa.repeat(pa.scalar(value), n))
        landed = landed.append_column("request_id", request_ids.take(landed["request_row"]))
        topic = self._names.outcomes
        self._write(topic, self.tally.hours % self._partitions, self._encode(topic, landed))
        self._producer.flush()
        self.tally.outcomes += n


class _Landings:
    """Outcomes of the replayed requests, in the order in which the flights land."""

    def __init__(self, flights: Flights, first_row: int, rows: int) -> None:
        row = flights.outcomes["request_row"].to_numpy()
        mine = pa.array((row >= first_row) & (row < first_row + rows))
        table = flights.outcomes.filter(mine)
        shifted = pc.subtract(table["request_row"], pa.scalar(first_row, table["request_row"].type))
        self._table = replaced(table, "request_row", shifted)
        self._at, self._done = _times(self._table, "occurred_at"), 0

    def until(self, hour: int | None) -> pa.Table:
        """Flights landed since the last call; None: all that are left."""
        end = len(self._at) if hour is None else int(np.searchsorted(self._at, hour * HOUR_MS, side="right"))
        begin, self._done = self._done, end
        return self._table.slice(begin, end - begin)


def _times(table: pa.Table, column: str) -> Times:
    return np.asarray(table[column].cast(pa.int64()).to_numpy(), np.int64)


def _spread(values: list[bytes], partitions: int) -> list[list[bytes]]:
    """Round robin, as a producer without keys does."""
    return [values[partition::partitions] for partition in range(partitions)]
