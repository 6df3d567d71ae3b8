"""A scoring service under test: topics, contract, bundle, real `weir worker scorer` processes, and what they write."""

from __future__ import annotations

import os
import signal
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka import Producer as RdProducer
from weir.core.chunk import CHUNK_RANGE, Partition
from weir.core.signature import Signature
from weir.core.topics import subject_of
from weir.edges.embedded.leash import Child
from weir.edges.embedded.stack import Stack
from weir.edges.kafka.admin import bounds
from weir.edges.kafka.client import client_config
from weir.edges.kafka.topics import declared, ensure
from weir.edges.schemas.registry import Registry
from weir.wire import request_contract
from weir.wire.decode import Decoder
from weir.wire.encode import Encoder

from tests import tiny_requests as tiny
from tests.bundles import SIGNATURE, tiny_bundle
from tests.group_offsets import committed_by
from tests.waiting import START_S, WAIT_S, until

MAX_BYTES = 2000
OUT = ("weir.predictions", "weir.dead-letters", "weir.ledger", "weir.batches")


@dataclass
class Tiny:
    """A scoring service of its own, with its topics, contract and bundle.

    bundle_of: makes the bundle; (folder, service name) -> path of the bundle.
    """

    stack: Stack
    folder: Path
    name: str = field(default_factory=lambda: f"tiny-{uuid4().hex[:6]}")
    bundle_of: Callable[[Path, str], Path] = lambda folder, name: tiny_bundle(folder, service=name)
    signature: Signature = SIGNATURE

    def __post_init__(self) -> None:
        self.bundle = self.bundle_of(self.folder, self.name)
        self.settings = self.stack.settings.having(service=self.name)
        self.topic = self.settings.kafka.names.requests(self.name)
        self.registry = Registry(self.settings.registry)
        self.registry.register(subject_of(self.topic), request_contract.build(self.name, self.signature))
        ensure(self.settings, declared(self.settings))
        self.encoder = Encoder(self.registry.contract(subject_of(self.topic)))

    def spawn(
        self, others: Mapping[str, str] | None = None, *, options: Sequence[str] = (), **variables: object
    ) -> Child:
        """Start a `weir worker scorer`. variables: settings by name. others: variables by their whole name."""
        environment = {
            "WEIR_SERVICE": self.name,
            "WEIR_MAX_RECORD_BYTES": str(MAX_BYTES),
            "WEIR_SESSION_TIMEOUT_S": "3",  # a first join is held for half of it, a lost member for all
        }
        environment |= {f"WEIR_{name.upper()}": str(value) for name, value in variables.items()} | dict(others or {})
        command = ["worker", "scorer", "--bundle", str(self.bundle), *options]
        return self.stack.spawn(command, f"{self.name}-{uuid4().hex[:4]}", environment)

    @contextmanager
    def worker(self, **variables: Any) -> Iterator[Child]:
        """A running `weir worker scorer`; killed at the end if it still runs."""
        child = self.spawn(**variables)
        try:
            yield child
        finally:
            if child.poll() is None:
                os.kill(child.pid, signal.SIGKILL)
            self.stack.forget(child)

    def committed(self) -> dict[int, int]:
        """Offsets that the service's group has committed, by partition."""
        with committed_by(self.settings, self.settings.kafka.names.scorers(self.name)) as committed:
            found = committed((self.topic, partition) for partition in range(4))
        return {partition: found.get((self.topic, partition), 0) for partition in range(4)}


@dataclass
class Service(Tiny):
    """The same, and everything written in its name."""

    sent: dict[tuple[int, int], bytes | None] = field(default_factory=dict)  # (partition, offset) -> value
    rows: dict[str, list[dict]] = field(default_factory=lambda: defaultdict(list))
    _next: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(4), 0))
    _read: dict[Partition, int] = field(default_factory=dict)  # where the reader stands

    def __post_init__(self) -> None:
        super().__post_init__()
        registry = self.registry
        self._decoders = {topic: Decoder(registry.contract(subject_of(topic)), registry.schema_text) for topic in OUT}
        self._producer = RdProducer(client_config(self.settings.kafka, "tests") | {"linger.ms": 5})
        self._reader = Consumer({**client_config(self.settings.kafka, "tests"), "group.id": "tests"})
        self._read = self._ends()
        self._reader.assign([TopicPartition(*source, end) for source, end in self._read.items()])

    def _ends(self) -> dict[Partition, int]:
        """Of the topics that workers write to."""
        return {source: end for topic in OUT for source, (_, end) in bounds(self.settings.kafka, topic).items()}

    def send(self, partition: int, values: list[bytes | None]) -> None:
        for value in values:
            self._producer.produce(self.topic, value, key=b"key", partition=partition)
        assert self._producer.flush(WAIT_S) == 0
        for value in values:
            self.sent[partition, self._next[partition]] = value
            self._next[partition] += 1

    def send_rows(self, count: int) -> None:
        """Good requests, spread over the partitions."""
        encoded = self.encoder.encode(tiny.rows(count, first=len(self.sent)))
        for partition in range(4):
            self.send(partition, encoded[partition::4])

    def look(self) -> Service:
        """Take all that is written, to the ends of the topics."""
        ends = self._ends()

        def taken() -> bool:
            self.look_once()
            return all(self._read[source] >= end for source, end in ends.items())

        until(taken, WAIT_S, "all that is written")
        return self

    def look_once(self) -> bool:
        """Take some of it; False when none came, which says nothing of what there is."""
        if messages := self._reader.consume(10_000, 0.05):
            by_topic = defaultdict(list)
            for message in messages:
                assert message.error() is None
                self._read[Partition(message.topic(), message.partition())] = message.offset() + 1
                by_topic[message.topic()].append(message)
            for topic, found in by_topic.items():
                decoded = self._decoders[topic].decode([message.value() for message in found], 10**7)
                assert not len(decoded.rejects)
                for message, row in zip(found, decoded.rows.to_pylist(), strict=True):
                    if row["service"] == self.name:
                        assert message.partition() == row.get("source_partition", 0)
                        self.rows[topic].append(row)
        return bool(messages)

    @property
    def predictions(self) -> list[dict]:
        return self.rows["weir.predictions"]

    @property
    def dead_letters(self) -> list[dict]:
        return self.rows["weir.dead-letters"]

    @property
    def answered(self) -> Counter[tuple[int, int]]:
        """How often each request was answered, by prediction or dead letter."""
        return Counter((row["source_partition"], row["source_offset"]) for row in self.predictions + self.dead_letters)

    @property
    def in_ledger(self) -> set[tuple[int, int]]:
        return {
            (row["source_partition"], offset)
            for row in self.rows["weir.ledger"]
            for offset in range(row["first"], row["last"] + 1)
        }

    @property
    def in_batches(self) -> Counter[tuple[int, int]]:
        """How often each offset was in a batch that has a record."""
        return Counter(
            (partition, offset)
            for row in self.rows["weir.batches"]
            for partition, first, last in np.frombuffer(row["ranges"], CHUNK_RANGE).tolist()
            for offset in range(first, last + 1)
        )

    def send_and_interrupt(self, child: Child, how: signal.Signals) -> None:
        """Send many requests, and the signal when the first of them are answered.

        All that was sent before is committed by then: a worker that sleeps for too long loses its partitions.
        """
        ends = Counter(partition for partition, _ in self.sent)
        until(lambda: all(self.committed()[p] == end for p, end in ends.items()), WAIT_S, "commits of what is answered")
        before = len(self.look().predictions)
        os.kill(child.pid, signal.SIGSTOP)  # so that none is answered while they are written
        self.send_rows(40_000)
        os.kill(child.pid, signal.SIGCONT)

        def under_way() -> bool:
            self.look_once()
            return len(self.predictions) > before

        until(under_way, START_S, "the first answers")
        os.kill(child.pid, how)

    def all_answered(self) -> bool:
        while self.look_once():
            pass
        return set(self.answered) == set(self.sent) == self.in_ledger
