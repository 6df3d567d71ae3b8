"""librdkafka's lists of partitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weir.core.chunk import Partition
from weir.edges.kafka.librdkafka.library import library


class Partitions:
    """A list of partitions with offsets, for the length of a call."""

    def __init__(self, offsets: Mapping[Partition, int]) -> None:
        lib = library()
        self._list = lib.rd_kafka_topic_partition_list_new(len(offsets))
        for source, offset in offsets.items():
            added = lib.rd_kafka_topic_partition_list_add(self._list, source.topic.encode(), source.partition)
            added.contents.offset = offset

    def __enter__(self) -> Any:
        return self._list

    def __exit__(self, *_: object) -> None:
        library().rd_kafka_topic_partition_list_destroy(self._list)


def read(partitions: Any) -> list[tuple[Partition, int, int]]:
    """(partition, offset, error code) of every element."""
    if not partitions:
        return []
    found = partitions.contents
    return [
        (Partition(item.topic.decode(), item.partition), item.offset, item.err) for item in found.elems[: found.cnt]
    ]
