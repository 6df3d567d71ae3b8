"""librdkafka's lists of partitions."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from weir.core.chunk import Partition
from weir.edges.kafka.librdkafka.library import PLACE, library


class Partitions:
    """A list of partitions with offsets, for the length of a call. logs: by topic, noted beside each offset."""

    def __init__(self, offsets: Mapping[Partition, int], logs: Mapping[str, str] | None = None) -> None:
        lib = library()
        self._list = lib.rd_kafka_topic_partition_list_new(len(offsets))
        for source, offset in offsets.items():
            added = lib.rd_kafka_topic_partition_list_add(self._list, source.topic.encode(), source.partition)
            added.contents.offset = offset
            if logs is not None and (note := logs.get(source.topic, "").encode()):
                added.contents.metadata = _kept(note)
                added.contents.metadata_size = len(note)

    def __enter__(self) -> Any:
        return self._list

    def __exit__(self, *_: object) -> None:
        library().rd_kafka_topic_partition_list_destroy(self._list)


def _kept(octets: bytes) -> int:
    """A copy whose memory librdkafka frees together with the list."""
    memory = _malloc(len(octets))
    ctypes.memmove(memory, octets, len(octets))
    return int(memory)


_malloc = ctypes.CDLL(None).malloc
_malloc.restype, _malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]


class Positions:
    """Next offset of each of some partitions; asked after every poll, so the list stays and is read as one array."""

    def __init__(self, sources: Iterable[Partition]) -> None:
        self._sources = tuple(sources)
        self._partitions = Partitions(dict.fromkeys(self._sources, 0))
        self._list = self._partitions.__enter__()
        self._offsets: npt.NDArray[np.int64] = np.empty(0, np.int64)
        if self._sources:
            octets = ctypes.c_char * (PLACE.itemsize * len(self._sources))
            memory = octets.from_address(ctypes.addressof(self._list.contents.elems.contents))
            self._offsets = np.frombuffer(memoryview(memory), PLACE)["offset"]

    def ask(self, handle: int) -> dict[Partition, int]:
        """Those of which something was handed over, or passed over: the next offset."""
        library().rd_kafka_position(handle, self._list)
        return {source: at for source, at in zip(self._sources, self._offsets.tolist(), strict=True) if at >= 0}

    def close(self) -> None:
        """Let go of the list."""
        self._partitions.__exit__()


def read(partitions: Any) -> list[tuple[Partition, int, int]]:
    """(partition, offset, error code) of every element."""
    if not partitions:
        return []
    found = partitions.contents
    return [
        (Partition(item.topic.decode(), item.partition), item.offset, item.err) for item in found.elems[: found.cnt]
    ]


def notes(partitions: Any) -> dict[Partition, str]:
    """What is noted beside each offset; empty without a note. Some clients end theirs with a zero byte."""
    found = partitions.contents
    return {
        Partition(item.topic.decode(), item.partition): ctypes.string_at(item.metadata, item.metadata_size)
        .rstrip(b"\0")
        .decode(errors="replace")
        for item in found.elems[: found.cnt]
        if item.metadata
    }
