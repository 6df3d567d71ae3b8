"""A producer of whole arrays."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import pyarrow as pa
from confluent_kafka import KafkaError

from weir.core.arrow import buffers_of
from weir.edges.kafka.librdkafka.client import PRODUCER, Client
from weir.edges.kafka.librdkafka.library import DELIVERED, MESSAGE, TROUBLE

_QUEUED, _IN_FLIGHT = 1, 2  # RD_KAFKA_PURGE_F_QUEUE, RD_KAFKA_PURGE_F_INFLIGHT
_FRAMING_BYTES: Final = 32  # at most, of a record in a batch: https://kafka.apache.org/documentation/#record

# Nothing leaves before `flush` says so, and then in one request a partition: librdkafka's thread spins as long as
# a partition has records that are due while others of it are on their way.
_CONFIG: Final = {
    "linger.ms": 60_000,
    "batch.num.messages": 1_000_000,
    "queue.buffering.max.messages": 10_000_000,
    "delivery.report.only.error": True,  # a report for each delivered record would cost a third of it
}


class BatchProducer(Client):
    """Hands whole arrays to librdkafka, which reads them where they lie: they are kept until they are delivered.

    One thread at a time.

    request_bytes: largest record batch, framing included.
    on_failure: hears of each record that cannot be delivered, from `flush`.
    """

    def __init__(
        self,
        config: Mapping[str, object],
        request_bytes: int,
        on_error: Callable[[KafkaError], None],
        on_failure: Callable[[KafkaError], None],
    ) -> None:
        self._request_bytes, self._on_failure = request_bytes, on_failure
        self._topics: dict[str, int] = {}
        self._waiting: dict[tuple[str, int], deque[pa.BinaryArray]] = {}
        self._sent: list[pa.BinaryArray] = []
        self._failures = 0
        super().__init__(PRODUCER, {**config, **_CONFIG, "batch.size": request_bytes}, on_error)
        self._reports = self._lib.rd_kafka_queue_get_main(self._handle)

    def _configure(self, conf: int) -> None:
        self._lib.rd_kafka_conf_set_events(conf, DELIVERED)

    def produce(self, topic: str, partition: int, values: pa.BinaryArray) -> None:
        """Queue n values for one partition, in order.

        values: binary[n], no nulls.
        """
        if len(values):
            self._waiting.setdefault((topic, partition), deque()).append(values)

    def flush(self, timeout_s: float) -> int:
        """Send what is queued, and wait until it is delivered or something has failed; how many records are left."""
        deadline_s, failures = time.monotonic() + timeout_s, self._failures
        while self._failures == failures and (self._sent or self._send()):
            self._lib.rd_kafka_flush(self._handle, max(0, int((deadline_s - time.monotonic()) * 1e3)))
            self._hear_reports()
            if not self._undelivered():
                self._sent.clear()
            elif time.monotonic() > deadline_s:
                break
        return self._left()

    def purge(self) -> None:
        """Give up what is queued, and no longer wait for what has been sent."""
        self._waiting.clear()
        self._lib.rd_kafka_purge(self._handle, _QUEUED | _IN_FLIGHT)
        self._hear_reports()

    def close(self) -> None:
        """Let go of everything, delivered or not."""
        if self._handle is None:
            return
        for topic in self._topics.values():
            self._lib.rd_kafka_topic_destroy(topic)
        self._lib.rd_kafka_queue_destroy(self._reports)
        self._lib.rd_kafka_destroy(self._handle)
        self._handle = None
        self._waiting.clear()
        self._sent.clear()

    def _send(self) -> bool:
        """Hand one request's worth of each partition to librdkafka; whether anything waited."""
        for (topic, partition), arrays in self._waiting.items():
            space = self._request_bytes
            least = 1  # a record larger than a request goes by itself
            while arrays and (count := max(least, _fitting(arrays[0], space))):
                array, least = arrays.popleft(), 0
                if count < len(array):
                    arrays.appendleft(array.slice(count))
                space -= self._enqueue(topic, partition, array.slice(0, count))
        self._waiting = {to: arrays for to, arrays in self._waiting.items() if arrays}
        return bool(self._sent)

    def _enqueue(self, topic: str, partition: int, values: pa.BinaryArray) -> int:
        """The bytes that these values take in a request."""
        handle = self._topics.get(topic)
        if handle is None:
            handle = self._topics[topic] = self._lib.rd_kafka_topic_new(self._handle, topic.encode(), None)
        (offsets, memory), messages = buffers_of(values), np.zeros(len(values), MESSAGE)
        messages["value"] = offsets[:-1] + memory.ctypes.data
        messages["value_len"] = np.diff(offsets)
        self._sent.append(values)
        queued = self._lib.rd_kafka_produce_batch(handle, partition, 0, messages.ctypes.data, len(messages))
        if queued < len(messages):
            refused = messages["err"][messages["err"] != 0]
            self._fail(topic, int(refused[0]), len(refused))
        return int(offsets[-1] - offsets[0]) + len(values) * _FRAMING_BYTES

    def _left(self) -> int:
        waiting = sum(len(array) for arrays in self._waiting.values() for array in arrays)
        return waiting + self._undelivered()

    def _undelivered(self) -> int:
        """How many records librdkafka has. It counts the events that wait to be heard, too: these are taken off.

        Others put events into the queue, and only this thread takes them out: where it is as long as before the count,
        it was so meanwhile.
        """
        events, counted = -1, 0
        while (waiting := int(self._lib.rd_kafka_queue_length(self._reports))) != events:
            events, counted = waiting, int(self._lib.rd_kafka_outq_len(self._handle))
        return counted - events

    def _hear_reports(self) -> None:
        """What a queue that is polled for events gives: failures, and the errors that others hear by a callback."""
        while event := self._lib.rd_kafka_queue_poll(self._reports, 0):
            if self._lib.rd_kafka_event_type(event) == TROUBLE:
                code, said = self._lib.rd_kafka_event_error(event), self._lib.rd_kafka_event_error_string(event)
                self._on_error(self._error(code, said))
            while message := self._lib.rd_kafka_event_message_next(event):
                told = message.contents
                self._fail(self._lib.rd_kafka_topic_name(told.topic).decode(), told.err)
            self._lib.rd_kafka_event_destroy(event)

    def _fail(self, topic: str, code: int, records: int = 1) -> None:
        self._failures += records
        said = self._lib.rd_kafka_err2str(code).decode()
        for _ in range(records):
            self._on_failure(KafkaError(code, f"{topic}: {said}"))


def _fitting(values: pa.BinaryArray, space: int) -> int:
    """How many of these values, from the first on, a request of this many bytes holds."""
    offsets = np.frombuffer(values.buffers()[1], np.int32)[values.offset :]  # looked at where it is halved only
    first = int(offsets[0])
    return bisect_right(
        range(1, len(values) + 1), space, key=lambda count: int(offsets[count]) - first + _FRAMING_BYTES * count
    )
