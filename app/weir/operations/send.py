"""Requests made of plain values and sent, and what came of each."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from weir.core.errors import Unavailable
from weir.edges.kafka.admin import partitions_of
from weir.edges.kafka.producer import Producer
from weir.edges.kafka.tail import Tail
from weir.edges.schemas.contracts import contract_of
from weir.edges.schemas.registry import Registry
from weir.operations.answers import Answer, Answers, check_service
from weir.settings import Settings
from weir.wire import plain_rows, shape
from weir.wire.encode import Encoder

LOOK_S = 0.1


class Awaited:
    """Requests that have no answer yet, by name; several may have the same. Of answered ones nothing is kept.

    >>> awaited = Awaited()
    >>> awaited.add(["a", "a", "b"], [b"1", b"2", b"3"])
    >>> awaited.take("a"), awaited.named(b"1"), awaited.take("a"), awaited.take("a"), awaited.named(b"1")
    (True, 'a', True, False, '')
    >>> len(awaited)
    1
    """

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._records: dict[str, list[bytes]] = {}
        self._named: dict[bytes, str] = {}

    def __len__(self) -> int:
        """Requests without an answer."""
        return self._open.total()

    def add(self, request_ids: Sequence[str], records: Sequence[bytes]) -> None:
        """Requests, and what they are as records."""
        self._open.update(request_ids)
        for request_id, record in zip(request_ids, records, strict=True):
            self._records.setdefault(request_id, []).append(record)
            self._named[record] = request_id

    def named(self, record: bytes) -> str:
        """The name of the request that is this record; empty where none is awaited."""
        return self._named.get(record, "")

    def take(self, request_id: str) -> bool:
        """Whether a request of this name was awaited; one less is then."""
        if not self._open[request_id]:
            return False
        self._open[request_id] -= 1
        if not self._open[request_id]:
            del self._open[request_id]
            for record in self._records.pop(request_id):
                self._named.pop(record, None)
        return True


class Sender:
    """Sends requests to `settings.service`, and waits for what becomes of them.

    waits: whether `answers` will be asked for.
    Raises Unavailable; Refused when the service has no contract or no topic.
    """

    def __init__(self, settings: Settings, *, waits: bool) -> None:
        names, self._service = settings.kafka.names, settings.scoring.named_service
        check_service(settings, self._service)
        self._topic, self._registry = names.requests(self._service), Registry(settings.registry)
        contract = contract_of(settings, self._registry, self._topic)
        self._encoder, self._defaults = Encoder(contract), plain_rows.defaults(contract.schema)
        self._schema = shape.arrow_schema(contract.schema)
        self._partitions = partitions_of(settings.kafka, self._topic)
        self._answers = Answers(settings, self._registry)
        self._tail = Tail(settings.kafka, [names.predictions, names.dead_letters])
        self._producer = Producer(settings.kafka, "weir-send")
        self._waits, self._next = waits, 0
        self._awaited = Awaited()

    def close(self) -> None:
        """Deliver what is left, and read no more."""
        self._producer.close()
        self._tail.close()

    def send(self, records: Sequence[Mapping[str, Any]]) -> dict[int, str]:
        """Send records, and wait until the broker has them; of which no request can be made, by its index, and why.

        What a record does not say has the contract's default; without a `request_id` it gets one, without an
        `event_time` it is of now. Raises Unavailable.
        """
        now_ms = time.time_ns() // 1_000_000
        whole = [
            {**self._defaults, "request_id": str(uuid.uuid4()), "event_time": now_ms, **record} for record in records
        ]
        rows, faults = plain_rows.rows(self._schema, whole)
        framed = self._encoder.frames(rows)
        if self._waits:
            self._awaited.add(rows.column("request_id").to_pylist(), framed.to_pylist())
        for partition in range(self._partitions):
            own = range((partition - self._next) % self._partitions, len(framed), self._partitions)
            if own:
                self._producer.write(self._topic, partition, framed.take(pa.array(own, pa.int64())))
        self._next = (self._next + len(framed)) % self._partitions
        self._producer.flush()
        return faults

    def arrived(self, timeout_s: float = 0.0) -> list[Answer]:
        """What became of requests that were sent, as far as it has come since the last look. Raises Unavailable."""
        found = []
        for answer in self._answers.read(self._tail, timeout_s):
            request_id = answer.request_id if answer.scored else self._awaited.named(answer.record)
            if answer.service == self._service and self._awaited.take(request_id):
                found.append(answer.of(request_id))
        return found

    def answers(self, patience_s: float, most: int = 0) -> Iterator[Answer]:
        """What became of each request that was sent, as it comes, until at most so many are awaited.

        Raises Unavailable when nothing has come for patience_s seconds.
        """
        quiet_since_s = time.monotonic()
        while len(self._awaited) > most:
            arrived = self.arrived(LOOK_S)
            yield from arrived
            if arrived:
                quiet_since_s = time.monotonic()
            elif time.monotonic() - quiet_since_s > patience_s:
                raise Unavailable(
                    f"{len(self._awaited):,} requests have no answer after {patience_s:g} s",
                    where=self._topic,
                    remedy="see whether a scorer of the service runs; what was sent is answered once one does",
                )
