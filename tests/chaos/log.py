"""A topic read back from the broker, whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from confluent_kafka import Consumer, TopicPartition
from weir.edges.kafka.admin import bounds
from weir.edges.kafka.client import client_config
from weir.settings import Settings

from tests.waiting import until

READ_S = 60.0


@dataclass(frozen=True)
class Records:
    """One partition: n offsets, ascending, and n values."""

    offsets: npt.NDArray[np.int64]
    values: list[bytes | None]


@dataclass(frozen=True)
class Log:
    """All partitions of a topic as they are at one moment."""

    topic: str
    partitions: dict[int, Records]

    @property
    def order(self) -> list[int]:
        return sorted(self.partitions)

    def __len__(self) -> int:
        return sum(len(records.values) for records in self.partitions.values())

    def value(self, partition: int, offset: int) -> bytes | None:
        records = self.partitions[partition]
        return records.values[int(np.searchsorted(records.offsets, offset))]


def read(settings: Settings, topic: str) -> Log:
    """Everything from the first offset to the end."""
    wanted = bounds(settings.kafka, topic)
    config = client_config(settings.kafka, "chaos") | {"group.id": "chaos", "enable.auto.commit": False}
    consumer = Consumer(config)
    found: dict[int, list[tuple[int, bytes | None]]] = {source.partition: [] for source in wanted}
    ends = {source.partition: end for source, (first, end) in wanted.items() if end > first}

    def done() -> bool:
        for message in consumer.consume(50_000, 0.2):
            assert message.error() is None, message.error()
            found[message.partition()].append((message.offset(), message.value()))
        return all(found[number] and found[number][-1][0] >= end - 1 for number, end in ends.items())

    try:
        consumer.assign([TopicPartition(*source, first) for source, (first, end) in wanted.items() if end > first])
        if ends:
            until(done, READ_S, f"all of {topic}")
    finally:
        consumer.close()
    return Log(
        topic,
        {
            number: Records(np.array([at for at, _ in records], np.int64), [value for _, value in records])
            for number, records in found.items()
        },
    )
