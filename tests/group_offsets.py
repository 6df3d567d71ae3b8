"""Offsets that a consumer group has committed, asked from beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from confluent_kafka import Consumer, TopicPartition
from weir.edges.kafka.client import client_config
from weir.settings import Settings

ANSWER_S = 10.0
Source = tuple[str, int]  # topic, partition


@contextmanager
def committed_by(settings: Settings, group: str) -> Iterator[Callable[[Iterable[Source]], dict[Source, int]]]:
    """A function of partitions that tells how far the group has committed each; without those it has not committed.

    One client for as many questions as are asked inside. The function raises KafkaException when nobody answers.
    """
    consumer = Consumer({**client_config(settings.kafka, "tests"), "group.id": group})

    def committed(sources: Iterable[Source]) -> dict[Source, int]:
        found = consumer.committed([TopicPartition(*source) for source in sources], ANSWER_S)
        return {(part.topic, part.partition): part.offset for part in found if part.error is None and part.offset >= 0}

    try:
        yield committed
    finally:
        consumer.close()
