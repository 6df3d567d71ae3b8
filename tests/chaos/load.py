"""Requests, good and bad, and outcomes for some of the answers, sent from a thread at a rate that faults change."""

from __future__ import annotations

import random
import threading
import time

import numpy as np
import pyarrow as pa
from confluent_kafka import KafkaError, Message, Producer
from weir.core.chunk import LogPartition
from weir.core.topics import subject_of
from weir.edges.kafka.logs import log_of
from weir.scoring import identity
from weir.wire.encode import Encoder

from tests import tiny_requests as tiny
from tests.chaos.truth import Truth
from tests.service_under_test import MAX_BYTES, Tiny
from tests.waiting import WAIT_S

PARTITIONS = 4
OUTCOMES = "weir.outcomes"
OUTCOME_EVERY = 8  # every so many of the requests get an outcome, some of these twice
KEY = b"key"


class Load:
    """A thread that sends `rate` requests a second; `send` sends at once.

    bad: share that must be rejected. tick_s: between two sends of the thread; each wakes everybody on the path.
    """

    def __init__(
        self, tiny_service: Tiny, truth: Truth, chance: random.Random, *, bad: float = 0.005, tick_s: float = 0.02
    ) -> None:
        self.rate = 0.0
        self.bad = bad
        self._tick_s = tick_s
        self._service, self._truth, self._chance = tiny_service, truth, chance
        self._made = 0
        self._lock = threading.Lock()  # one sender at a time
        self._books = threading.Lock()  # what delivery callbacks write
        self._ends = dict.fromkeys(range(PARTITIONS), 0)
        self._answerable: list[tuple[int, int, int]] = []  # (partition, offset, number) with an outcome to come
        self._failed: list[KafkaError] = []
        self._producer = Producer(
            {
                "bootstrap.servers": tiny_service.settings.kafka.brokers,
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.timeout.ms": 240_000,
                "queue.buffering.max.messages": 1_000_000,
                "log_level": 0,
                "error_cb": lambda _error: None,
            }
        )
        contract = tiny_service.registry.contract(subject_of(OUTCOMES))
        self._outcome_encoder = Encoder(contract)
        self._log = log_of(tiny_service.settings.kafka, tiny_service.topic)
        self._bad = tiny.one_of_each(tiny_service.encoder, MAX_BYTES)
        for bad_one in self._bad:
            truth.expect_letter(bad_one.value, bad_one.stage, bad_one.reason)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self._thread.start()

    @property
    def ends(self) -> dict[int, int]:
        """End of what the broker has taken, by partition."""
        with self._books:
            return dict(self._ends)

    def send(self, count: int, *, at_ms: int = tiny.AT_MS, partition: int | None = None) -> list[bytes]:
        """Requests with numbers of their own, spread at random or to one partition; returns their bytes."""
        if not count:
            return []
        with self._lock:
            rows = tiny.rows(count, first=self._made, at_ms=at_ms)
            self._made += count
            values = self._service.encoder.encode(rows)
            self._truth.expect(rows, values)
            for value in values:
                self._put(value, partition)
                if self._chance.random() < self.bad:
                    self._put(self._chance.choice(self._bad).value, partition)
        return list(values)

    def send_values(self, values: list[bytes | None], *, partition: int | None = None) -> None:
        """Records whose fate the truth already knows."""
        with self._lock:
            for value in values:
                self._put(value, partition)

    def flush(self, seconds: float = 120.0) -> None:
        """Wait until the broker has taken everything."""
        with self._lock:
            assert self._producer.flush(seconds) == 0, "the broker does not take the load"
            self._send_outcomes()
            assert self._producer.flush(seconds) == 0, "the broker does not take the outcomes"
        assert not self._failed, f"{len(self._failed)} records of the load failed: {self._failed[0]}"

    def close(self) -> None:
        self.rate = 0.0
        self._stop.set()
        self._thread.join(WAIT_S)
        self._producer.flush(5)

    def _run(self) -> None:
        due, before = 0.0, time.monotonic()
        while not self._stop.wait(self._tick_s):
            now = time.monotonic()
            due += self.rate * (now - before) * self._chance.uniform(0.5, 1.5)  # bursts, as in life
            before = now
            self.send(int(due))
            due -= int(due)
            self._producer.poll(0)
            with self._lock:
                self._send_outcomes()

    def _put(self, value: bytes | None, partition: int | None) -> None:
        while True:
            try:
                self._producer.produce(
                    self._service.topic,
                    value,
                    key=KEY,
                    on_delivery=self._delivered,
                    partition=self._chance.randrange(PARTITIONS) if partition is None else partition,
                )
            except BufferError:
                self._producer.poll(0.05)
                continue
            return

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        with self._books:
            if error is not None:
                self._failed.append(error)
                return
            value, partition, offset = message.value(), message.partition(), message.offset()
            self._truth.delivered(value)
            number = self._truth.kinds[value]
            if offset >= 0:  # unknown when the broker had it already and its answer was lost
                self._ends[partition] = max(self._ends[partition], offset + 1)
                if number >= 0 and number % OUTCOME_EVERY == 0:
                    self._answerable.append((partition, offset, number))

    def _send_outcomes(self) -> None:
        with self._books:
            due, self._answerable = self._answerable, []
        for partition in range(PARTITIONS):
            mine = [(offset, number) for p, offset, number in due if p == partition]
            if mine:
                self._produce_outcomes(partition, *np.array(mine, np.int64).T)

    def _produce_outcomes(self, partition: int, offsets: np.ndarray, numbers: np.ndarray) -> None:
        """Some wrong at first, corrected after, and then sent wrong again; some no outcome at all."""
        place = LogPartition(self._log, self._service.topic, partition)
        ids = identity.text(identity.prediction_ids(place, offsets, self._truth.event_ms(numbers)))
        every, second = np.ones(len(numbers), np.bool_), numbers % (3 * OUTCOME_EVERY) == 0
        for chosen, label, later_ms in ((every, 0.0, 0), (second, 1.0, 1), (second, 0.0, 0)):
            names = ids.to_numpy(zero_copy_only=False)[chosen]
            if not len(names):
                continue
            rows = _outcomes(self._service.name, names, label, tiny.AT_MS + later_ms)
            for value in self._outcome_encoder.encode(rows):
                self._producer.produce(OUTCOMES, value, partition=partition)
        names = ids.to_numpy(zero_copy_only=False)
        labels = np.where(second, 1.0, 0.0).tolist()
        self._truth.outcomes.update(
            {name: (f"{label:g}", label * 30.0) for name, label in zip(names.tolist(), labels, strict=True)}
        )
        if self._chance.random() < 0.2:
            value = b"no outcome %d" % len(self._truth.bad_outcomes)
            self._producer.produce(OUTCOMES, value, partition=partition)
            self._truth.bad_outcomes[value] += 1


def _outcomes(service: str, ids: np.ndarray, label: float, at_ms: int) -> pa.RecordBatch:
    n = len(ids)
    return pa.RecordBatch.from_pydict(
        {
            "service": pa.repeat(service, n),
            "prediction_id": pa.array(ids, pa.string()),
            "request_id": pa.nulls(n, pa.string()),
            "observed": pa.array(np.full(n, label * 30.0)),
            "label": pa.repeat(f"{label:g}", n),
            "attributes": pa.array([[]] * n, pa.map_(pa.string(), pa.float64())),
            "revision": pa.repeat(pa.scalar(0, pa.int64()), n),
            "withdrawn": pa.repeat(False, n),
            "occurred_at": pa.array(np.full(n, at_ms, np.int64)).cast(tiny.MS),
        }
    )
