"""Single records of a log, by their offsets: no group, no commits."""

from __future__ import annotations

import time
from collections.abc import Collection

from confluent_kafka import Consumer, KafkaError, TopicPartition

from weir.core.chunk import LogPartition, Partition
from weir.core.errors import Unavailable
from weir.edges.kafka import handshake
from weir.edges.kafka.errors import FatalError, is_retriable, weir_error
from weir.edges.kafka.log_reader import lone_consumer
from weir.edges.kafka.logs import bounds_of
from weir.setting_groups import KafkaSettings

LOOK_S = 0.2

Place = tuple[LogPartition, int]  # and an offset


def read(settings: KafkaSettings, places: Collection[Place]) -> dict[Place, bytes | None]:
    """Values of those records that their log still holds; None for a tombstone.

    A log of another name than the topic has by now holds nothing. Raises Unavailable, Refused.
    """
    held: dict[LogPartition, tuple[int, int]] = {}
    for topic in sorted({source.topic for source, _ in places}):
        held |= bounds_of(settings, topic)
    nothing = (0, 0)
    there = [place for place in places if held.get(place[0], nothing)[0] <= place[1] < held.get(place[0], nothing)[1]]
    refusal = FatalError()
    consumer = lone_consumer(settings, refusal, {"auto.offset.reset": "error", "enable.partition.eof": True})
    try:
        found = {place: _one(settings, consumer, refusal, place) for place in sorted(there)}
    finally:
        consumer.close()
    return {place: value for place, values in found.items() for value in values}


def _one(settings: KafkaSettings, consumer: Consumer, refusal: FatalError, place: Place) -> list[bytes | None]:
    """The value at that place, alone; nothing where the log has no record there."""
    source, offset = place
    at = Partition(source.topic, source.partition)
    consumer.assign([TopicPartition(*at, offset)])
    deadline_s = time.monotonic() + settings.sink_budget_s
    while time.monotonic() < deadline_s:
        refusal.check(settings.brokers)
        for message in consumer.consume(1, LOOK_S):
            error = message.error()
            if error is not None and error.code() in (KafkaError._PARTITION_EOF, KafkaError._AUTO_OFFSET_RESET):
                return []
            if error is not None and not is_retriable(error):
                raise weir_error(error, settings.brokers)
            if error is None:
                return [message.value()] if message.offset() == offset else []
    handshake.check(settings)
    raise Unavailable(
        f"Kafka does not give the record {source.topic}/{source.partition}/{offset}",
        where=settings.brokers,
        remedy="see the broker's log",
    )
