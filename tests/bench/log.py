"""What is in a topic: read back after a measurement, so that measuring costs the measured nothing."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from confluent_kafka import Consumer, TopicPartition
from weir.edges.kafka.client import client_config
from weir.edges.schemas.registry import Registry
from weir.settings import Settings
from weir.wire.decode import Decoder

READ_S = 60.0
MAX_BYTES = 10**8


@dataclass(frozen=True, slots=True)
class Read:
    """Records of a topic from some offsets on. times_ms: int64[n], ascending; values in no order; octets: of values."""

    times_ms: npt.NDArray[np.int64]
    values: list[bytes]
    octets: int


def read(settings: Settings, topic: str, begins: Mapping[int, int], ends: Mapping[int, int]) -> Read:
    """All records between two positions, partition -> offset. Raises RuntimeError when they do not come in time."""
    consumer = Consumer(
        client_config(settings.kafka, "bench-reader")
        | {
            "group.id": "bench-reader",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 10,
            "queued.max.messages.kbytes": 65_536,
        }
    )
    waiting = {partition: end for partition, end in ends.items() if end > begins.get(partition, 0)}
    times: list[int] = []
    values: list[bytes] = []
    try:
        consumer.assign([TopicPartition(topic, partition, begins.get(partition, 0)) for partition in waiting])
        deadline_s = time.monotonic() + READ_S
        while waiting:
            if time.monotonic() > deadline_s:
                raise RuntimeError(f"{topic} could not be read back: partitions {sorted(waiting)} do not end")
            reached: dict[int, int] = defaultdict(int)
            for message in consumer.consume(10_000, 0.2):
                if message.error() is None:
                    times.append(message.timestamp()[1])
                    values.append(message.value())
                    reached[message.partition()] = message.offset() + 1
            for partition, offset in reached.items():
                if offset >= waiting.get(partition, offset + 1):
                    del waiting[partition]
    finally:
        consumer.close()
    return Read(np.sort(np.array(times, np.int64)), values, sum(map(len, values)))


def columns(settings: Settings, topic: str, values: list[bytes]) -> pa.RecordBatch:
    """Records of one of Weir's topics, decoded. Raises RuntimeError when one does not fit its contract."""
    registry = Registry(settings.registry)
    decoder = Decoder(registry.contract(f"{topic}-value"), registry.schema_text)
    decoded = decoder.decode(values, MAX_BYTES)
    registry.close()
    if len(decoded.rejects):
        raise RuntimeError(f"{topic} holds {len(decoded.rejects)} records that do not fit its contract")
    return decoded.rows
