"""Records of some topics as they come: no group, no commits."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import TopicPartition

from weir.edges.kafka.admin import bounds
from weir.edges.kafka.errors import FatalError, is_retriable, weir_error
from weir.edges.kafka.log_reader import lone_consumer
from weir.setting_groups import KafkaSettings

RECORDS = 1000  # at a time


class Tail:
    """Every record that is written to these topics once the tail is there. One thread at a time.

    Raises Unavailable or Refused, as `weir_error` words it, when a topic cannot be read.
    """

    def __init__(self, settings: KafkaSettings, topics: Sequence[str]) -> None:
        self._brokers, self._refusal = settings.brokers, FatalError()
        ends = [(*source, end) for topic in topics for source, (_, end) in bounds(settings, topic).items()]
        self._consumer = lone_consumer(settings, self._refusal, {"auto.offset.reset": "earliest"})
        self._consumer.assign([TopicPartition(*end) for end in ends])

    def close(self) -> None:
        """Read no more."""
        self._consumer.close()

    def read(self, timeout_s: float) -> list[tuple[str, bytes]]:
        """Topic and value of records that have come, tombstones left out; none when none comes in time."""
        found: list[tuple[str, bytes]] = []
        for message in self._consumer.consume(1, timeout_s) + self._consumer.consume(RECORDS, 0.0):
            failed, topic, value = message.error(), message.topic(), message.value()
            if failed is None and topic is not None and value is not None:
                found.append((topic, value))
            elif failed is not None and not is_retriable(failed):
                raise weir_error(failed, self._brokers)
        self._refusal.check(self._brokers)
        return found
