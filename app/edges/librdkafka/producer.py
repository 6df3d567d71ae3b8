"""A producer of whole arrays."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Mapping
from ctypes import POINTER, c_int, c_void_p
from typing import Final

import numpy as np
import pyarrow as pa
from confluent_kafka import KafkaError

from app.edges.librdkafka.client import PRODUCER, Client
from app.edges.librdkafka.library import MESSAGE, ON_DELIVERY

_TOPIC_AT: Final = 8            # of a message: where its topic's address is
_QUEUED, _IN_FLIGHT = 1, 2      # RD_KAFKA_PURGE_F_QUEUE, RD_KAFKA_PURGE_F_INFLIGHT
POLL_MS: Final = 1              # rd_kafka_flush looks every 10 ms whether all is delivered: most of a small batch


class BatchProducer(Client):
    """Hands whole arrays to librdkafka, which reads them where they lie: they are kept until `flush` has returned 0.

    on_failure: hears of each record that cannot be delivered, from `flush`.
    """

    def __init__(
        self,
        config: Mapping[str, object],
        on_error: Callable[[KafkaError], None],
        on_failure: Callable[[KafkaError], None],
    ) -> None:
        self._on_failure = on_failure
        self._topics: dict[str, int] = {}
        self._kept: list[pa.Array] = []
        super().__init__(PRODUCER, config, on_error)

    def _configure(self, conf: int) -> None:
        self._callbacks.append(ON_DELIVERY(self._on_delivery))
        self._lib.rd_kafka_conf_set_dr_msg_cb(conf, self._callbacks[-1])

    def produce(self, topic: str, partition: int, values: pa.BinaryArray) -> KafkaError | None:
        """Queue n values for one partition, in order; why the first one that is refused is.

        values: binary[n], no nulls.
        """
        handle = self._topics.get(topic)
        if handle is None:
            handle = self._topics[topic] = self._lib.rd_kafka_topic_new(self._handle, topic.encode(), None)
        _, offset_buffer, data = values.buffers()
        offsets = np.frombuffer(offset_buffer, np.int32)[values.offset : values.offset + len(values) + 1]
        messages = np.zeros(len(values), MESSAGE)
        messages["value"] = offsets[:-1].astype(np.uint64) + np.uint64(data.address)
        messages["value_len"] = np.diff(offsets)
        self._kept.append(values)
        queued = self._lib.rd_kafka_produce_batch(handle, partition, 0, messages.ctypes.data, len(messages))
        if queued == len(messages):
            return None
        return self._error(int(messages["err"][messages["err"] != 0][0]))

    def flush(self, timeout_s: float) -> int:
        """Wait until everything is delivered or has failed; how many records are still under way."""
        deadline_s = time.monotonic() + timeout_s
        while left := int(self._lib.rd_kafka_outq_len(self._handle)):
            self._lib.rd_kafka_poll(self._handle, POLL_MS)
            if time.monotonic() > deadline_s:
                return left
        self._kept.clear()
        return 0

    def purge(self) -> None:
        """Give up what is queued, and no longer wait for what has been sent."""
        self._lib.rd_kafka_purge(self._handle, _QUEUED | _IN_FLIGHT)
        self._lib.rd_kafka_poll(self._handle, 0)           # their delivery reports

    def close(self) -> None:
        """Let go of everything, delivered or not."""
        if self._handle is None:
            return
        for topic in self._topics.values():
            self._lib.rd_kafka_topic_destroy(topic)
        self._lib.rd_kafka_destroy(self._handle)
        self._handle = None
        self._kept.clear()

    def _on_delivery(self, _handle: int, message: int, _opaque: int) -> None:
        code = ctypes.cast(message, POINTER(c_int)).contents.value
        if code:
            topic = ctypes.cast(message + _TOPIC_AT, POINTER(c_void_p)).contents.value
            said = self._lib.rd_kafka_err2str(code).decode()
            self._on_failure(KafkaError(code, f"{self._lib.rd_kafka_topic_name(topic).decode()}: {said}"))
