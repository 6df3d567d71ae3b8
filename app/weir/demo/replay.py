"""Replays real flights through Kafka: events, requests and outcomes, in lockstep by simulated hour, and a burst.

The replay stands outside of Weir, as its users do: it produces to topics, counts what is answered, and sends
outcomes back by the ids of its own requests.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from confluent_kafka import Consumer, Message, TopicPartition

from weir.core.arrow import replaced
from weir.core.errors import Unavailable
from weir.demo.flights import HOUR_MS, Flights, Progress
from weir.demo.project import events_topic
from weir.demo.siblings import SIBLINGS, Sibling
from weir.edges.features.store.record_store import RecordStore
from weir.edges.kafka.admin import bounds, partitions_of
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
    """What went to a service, and what its scorer said it did with it."""

    produced: int = 0
    read: int = 0
    scored: int = 0
    rejected: int = 0
    outcomes: int = 0


class Replay:
    """One replay over a running stack. check: raises when a worker has died; called while waiting."""

    def __init__(self, settings: Settings, store: RecordStore, check: Callable[[], None]) -> None:
        self._settings, self._store, self._check = settings, store, check
        names = settings.kafka.names
        self._names, self._service = names, settings.scoring.named_service
        self._events = events_topic(settings)
        self._partitions = partitions_of(settings.kafka, names.requests(self._service))
        services = (self._service, *(sibling.service for sibling in SIBLINGS))
        self.tallies = {service: Tally() for service in services}
        registry = Registry(settings.registry)
        self._encoders = {
            topic: Encoder(contract_of(settings, registry, topic))
            for topic in (*map(names.requests, services), self._events, names.outcomes)
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
        self._topics = (names.ledger, names.predictions, names.dead_letters)
        sources = [(topic, partition) for topic in self._topics for partition in range(self._partitions)]
        self._consumer.assign([TopicPartition(*source, 0) for source in sources])
        self._answered, self._hours = 0, 0

    def close(self) -> None:
        """Let go of the broker."""
        self._producer.close()
        self._consumer.close()

    def warm_up(self, flights: Flights, until_hour: int, progress: Progress) -> None:
        """Send the events of the whole year, and release those up to a clock hour to the feature worker."""
        self._store.set_clock_us(until_hour * HOUR_MS * 1000)
        events, topic = flights.events, self._events
        size = max(1, events.num_rows // 20)
        for begin in range(0, events.num_rows, size):
            self._write(topic, 0, self._encode(topic, events.slice(begin, size)))
            progress(min(begin + size, events.num_rows), events.num_rows, "events of the year")
        self._producer.flush()
        self._release(until_hour)

    def run(
        self, flights: Flights, first_row: int, rows: int, progress: Progress, siblings: Sequence[Sibling] = ()
    ) -> None:
        """Requests [first_row, first_row + rows) hour by hour, with the outcomes of their time.

        Of each hour: events up to its full hour are applied, then its requests are produced, then all are answered.
        An hour goes to one partition and the next to another, as the sticky partitioner of Kafka's clients does with
        what is produced together. Outcomes of earlier hours go out while the scorers work.
        siblings: services that are asked and told the same.
        """
        chosen = flights.requests.slice(first_row, rows)
        hours = chosen["clock_hour"].to_numpy()
        topics = {name: self._names.requests(name) for name in (self._service, *(one.service for one in siblings))}
        values = {name: self._encode(topic, chosen) for name, topic in topics.items()}
        landed = _Landings(flights, first_row, rows)
        ids = chosen["request_id"]
        begins = np.flatnonzero(np.diff(hours, prepend=hours[0] - 1))
        ends = np.append(begins[1:], len(hours))
        for begin, end in zip(begins, ends, strict=True):
            hour = int(hours[begin])
            self._release(hour)
            for name, topic in topics.items():
                self._write(topic, self._hours % self._partitions, values[name][begin:end])
                self.tallies[name].produced += int(end - begin)
            self._producer.flush()
            self._send_outcomes(landed.until(hour), ids, siblings)
            self._await_answers()
            self._hours += 1
            if self._hours % 50 == 0:
                progress(int(end), rows, "flights")
        progress(rows, rows, "flights")
        self._await_ledger()
        self._send_outcomes(landed.until(None), ids, siblings)
        self._producer.flush()

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
        topic, tally = self._names.requests(self._service), self.tallies[self._service]
        parts = _spread(self._encode(topic, again), self._partitions)
        self._consumer.pause(
            [TopicPartition(self._names.predictions, partition) for partition in range(self._partitions)]
        )
        before, size = tally.read, 5_000
        for begin in range(0, max(map(len, parts)), size):
            for partition, part in enumerate(parts):
                self._write(topic, partition, part[begin : begin + size])
            self._producer.flush()
        tally.produced += len(rows)
        while tally.read < tally.produced:
            self._poll()
            progress(tally.read - before, len(rows), "requests at full speed")

    def read_on(self) -> None:
        """After a burst: count answers one by one again, those of the burst as a whole."""
        self._answered, deadline = self._asked, time.monotonic() + STEP_S
        while (ends := self._ends()) is None:
            self._expect(deadline, "the last answers of the burst")
        self._consumer.assign(ends)
        self._consumer.resume(ends)

    # ---- one step

    @property
    def _asked(self) -> int:
        return sum(tally.produced for tally in self.tallies.values())

    def _ends(self) -> list[TopicPartition] | None:
        """Ends of what is read, once the answers before them are as many as the requests."""
        kafka = self._settings.kafka
        ends = {source: end for topic in self._topics for source, (_, end) in bounds(kafka, topic).items()}
        answers = sum(end for (topic, _), end in ends.items() if topic != self._names.ledger)
        return [TopicPartition(*source, end) for source, end in ends.items()] if answers >= self._asked else None

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
        while self._answered < self._asked:
            self._poll()
            self._expect(deadline, "the scorer to answer an hour of requests")

    def _await_ledger(self) -> None:
        deadline = time.monotonic() + STEP_S
        while any(tally.read < tally.produced for tally in self.tallies.values()):
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
            for service, tally in self.tallies.items():
                mine = rows.filter(pc.equal(rows.column("service"), service))
                if len(mine):
                    tally.read += pc.sum(mine.column("read")).as_py()
                    tally.scored += pc.sum(mine.column("scored")).as_py()
                    tally.rejected += pc.sum(mine.column("rejected")).as_py()

    def _send_outcomes(self, landed: pa.Table, request_ids: pa.ChunkedArray, siblings: Sequence[Sibling]) -> None:
        """Outcomes of flights that have landed, to each service in its own words."""
        if not landed.num_rows:
            return
        self._tell(self._service, landed, request_ids)
        for sibling in siblings:
            self._tell(sibling.service, sibling.outcomes(landed), request_ids)
        self._producer.flush()

    def _tell(self, service: str, landed: pa.Table, request_ids: pa.ChunkedArray) -> None:
        for name, value in {"service": service, "revision": 0, "withdrawn": False}.items():
            landed = landed.append_column(name, pa.repeat(pa.scalar(value), landed.num_rows))
        landed = landed.append_column("request_id", request_ids.take(landed["request_row"]))
        topic = self._names.outcomes
        self._write(topic, self._hours % self._partitions, self._encode(topic, landed))
        self.tallies[service].outcomes += landed.num_rows


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
