"""Reads a small log from its beginning, and what has come since: no group, no commits."""

from __future__ import annotations

import time
from collections.abc import Mapping

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from weir.core.chunk import Partition
from weir.edges.kafka import handshake
from weir.edges.kafka.client import client_config
from weir.edges.kafka.errors import FatalError, error_of, is_retriable, weir_error
from weir.setting_groups import KafkaSettings

RECORDS = 1000  # at a time
LOOK_S = 0.05


class LogReader:
    """One partition, read by whoever needs all of it, or all from `first` on. One thread at a time."""

    def __init__(self, settings: KafkaSettings, source: Partition, first: int | None = None) -> None:
        self._settings, self._source = settings, source
        self._next = first  # None: the beginning

    def read(self, timeout_s: float) -> list[bytes]:
        """Values that were not read before, up to the end that the log has now; tombstones left out.

        Raises what `weir_error` makes, Unavailable or Refused, when the end is not reached in time; the next call reads
        it all again.
        """
        refusal = FatalError()
        consumer = lone_consumer(
            self._settings, refusal, {"auto.offset.reset": "earliest", "enable.partition.eof": True}
        )
        try:
            return self._to_the_end(consumer, refusal, time.monotonic() + timeout_s)
        finally:
            consumer.close()

    def skip(self, records: int) -> None:
        """Pass over so many behind what was read: whoever reads wrote them."""
        self._next = (self._next or 0) + records

    def _to_the_end(self, consumer: Consumer, refusal: FatalError, deadline_s: float) -> list[bytes]:
        consumer.assign([TopicPartition(*self._source, OFFSET_BEGINNING if self._next is None else self._next)])
        values: list[bytes] = []
        error = KafkaError(KafkaError._TIMED_OUT)
        while time.monotonic() < deadline_s:
            refusal.check(self._settings.brokers)
            for message in consumer.consume(RECORDS, LOOK_S):
                failed = message.error()
                if failed is None:
                    value = message.value()
                    values += [value] if value is not None else []
                elif failed.code() == KafkaError._PARTITION_EOF:
                    self._next = message.offset()
                    return values
                elif not is_retriable(failed):
                    raise weir_error(failed, self._settings.brokers)
                else:
                    error = failed
        handshake.check(self._settings)
        raise weir_error(error, self._settings.brokers, f"{self._source.topic} was not read to its end")


def lone_consumer(settings: KafkaSettings, refusal: FatalError, config: Mapping[str, object]) -> Consumer:
    """A consumer of no group: it is told what to read, and commits nothing. Raises what `weir_error` makes."""
    lone: dict[str, object] = {
        "group.id": "weir-log-reader",  # the client wants one; it joins none
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "fetch.wait.max.ms": 20,
        "error_cb": refusal,
    }
    try:
        return Consumer(client_config(settings, "weir-log-reader") | lone | dict(config))
    except KafkaException as error:
        raise weir_error(error_of(error), settings.brokers) from error
