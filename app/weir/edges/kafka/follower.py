"""Reads partitions on from given offsets, as often as it is asked: no group, no commits."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaError, TopicPartition

from weir.core.chunk import Partition
from weir.edges.kafka import handshake
from weir.edges.kafka.errors import FatalError, is_retriable, weir_error
from weir.edges.kafka.log_reader import lone_consumer
from weir.setting_groups import KafkaSettings

LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Record:
    """One record. at_ms: its time, as the broker or whoever wrote it says."""

    source: Partition
    offset: int
    at_ms: int
    value: bytes


class Follower:
    """Some partitions, one record after the other. One thread at a time.

    Raises Unavailable or Refused, as `weir_error` words it, when a partition cannot be read. An offset that is no
    longer there is taken for the first that is.
    """

    def __init__(self, settings: KafkaSettings, begin: Mapping[Partition, int]) -> None:
        self._settings, self._refusal = settings, FatalError()
        config = {"auto.offset.reset": "earliest", "enable.partition.eof": True, "check.crcs": True}
        self._consumer = lone_consumer(settings, self._refusal, config)
        self._consumer.assign([TopicPartition(*source, offset) for source, offset in begin.items()])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Read no more."""
        self._consumer.close()

    def read(self, most: int, timeout_s: float) -> list[Record]:
        """Up to so many records that have come; none when none comes in time. A tombstone has an empty value.

        It is there, since whoever reads up to an offset would wait for it else.
        """
        found: list[Record] = []
        for message in self._consumer.consume(1, timeout_s) + self._consumer.consume(most - 1, 0.0):
            failed = message.error()
            if failed is not None:
                if failed.code() != KafkaError._PARTITION_EOF and not is_retriable(failed):
                    raise weir_error(failed, self._settings.brokers)
            else:
                source = Partition(str(message.topic()), int(message.partition() or 0))
                found.append(Record(source, int(message.offset() or 0), message.timestamp()[1], message.value() or b""))
        self._refusal.check(self._settings.brokers)
        return found

    def read_until(self, offset: int, timeout_s: float) -> list[Record]:
        """Of one partition all that there is before an offset. Raises Unavailable where it is not reached in time."""
        found: list[Record] = []
        deadline_s = time.monotonic() + timeout_s
        while not found or found[-1].offset + 1 < offset:
            found += self.read(1000, LOOK_S)
            if time.monotonic() > deadline_s:
                handshake.check(self._settings)
                raise weir_error(
                    KafkaError(KafkaError._TIMED_OUT), self._settings.brokers, "a log was not read in time"
                )
        return found
