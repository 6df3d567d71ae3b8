"""Kafka records by the chunk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.arrow import buffers_of

# Which offsets a chunk covers, in a packed column.
CHUNK_RANGE: Final = np.dtype([("partition", "<i4"), ("first", "<i8"), ("last", "<i8")])


class Partition(NamedTuple):
    """A topic and partition number."""

    topic: str
    partition: int


class LogPartition(NamedTuple):
    """A partition of one log: a topic made anew has the old name, and other records under the old offsets.

    log: what tells the two apart, see weir.edges.kafka.logs.
    """

    log: str
    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}] of log {self.log}"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Records of one partition, fetched together, or none.

    first, last: the offsets that the fetch has passed; chunks of a partition tile its offsets. Those of them that are
    not in `offsets` hold no record: transaction markers, aborted records, what compaction removed.
    values: large_binary[n], null for a tombstone. keys: large_binary[n], null for none. offsets: int64[n], ascending.
    oldest_ms, newest_ms: broker time of the first and of the last record, milliseconds since the epoch; without
    records, of the fetch.
    fetched_at_s: monotonic seconds at which the first record was there.
    generation: counts the assignments of the worker; a chunk of an earlier one is not to be worked on.
    log: which log the records are of.
    """

    source: Partition
    first: int
    last: int
    values: pa.LargeBinaryArray
    keys: pa.LargeBinaryArray
    offsets: npt.NDArray[np.int64]
    oldest_ms: int
    newest_ms: int
    fetched_at_s: float
    generation: int = 0
    log: str = ""

    @property
    def place(self) -> LogPartition:
        """The partition of the log that it is of."""
        return LogPartition(self.log, *self.source)

    def __len__(self) -> int:
        return len(self.values)

    @staticmethod
    def of_nothing(source: Partition, first: int, last: int, at_ms: int, at_s: float, generation: int) -> Chunk:
        """Offsets without a record, fetched at that wall and monotonic time."""
        nothing = pa.array([], pa.large_binary())
        return Chunk(source, first, last, nothing, nothing, np.empty(0, np.int64), at_ms, at_ms, at_s, generation)

    @staticmethod
    def alone(values: pa.LargeBinaryArray, topic: str, at_ms: int, at_s: float = 0.0) -> Chunk:
        """Records that come from no log, as if fetched from a topic at that wall and monotonic time."""
        n = len(values)
        keys = pa.nulls(n, pa.large_binary())
        return Chunk(Partition(topic, 0), 0, n - 1, values, keys, np.arange(n, dtype=np.int64), at_ms, at_ms, at_s)

    @staticmethod
    def merge(chunks: Sequence[Chunk]) -> Chunk:
        """Chunks of one partition and generation, each beginning where the one before it ended, as one."""
        if len(chunks) == 1:
            return chunks[0]
        first, last = chunks[0].first, chunks[-1].last
        chunks = [chunk for chunk in chunks if len(chunk)] or chunks[:1]  # their times are of records, if there are any
        head, tail = chunks[0], chunks[-1]
        return replace(
            head,
            first=first,
            last=last,
            values=pa.concat_arrays([chunk.values for chunk in chunks]),
            keys=pa.concat_arrays([chunk.keys for chunk in chunks]),
            offsets=np.concatenate([chunk.offsets for chunk in chunks]),
            newest_ms=tail.newest_ms,
        )

    @staticmethod
    def merged(chunks: Iterable[Chunk], max_records: int) -> list[Chunk]:
        """Chunks of each partition put together, up to max_records; partitions in the order of their first chunk."""
        runs: dict[Partition, list[list[Chunk]]] = {}
        for chunk in chunks:
            mine = runs.setdefault(chunk.source, [[]])
            if mine[-1] and sum(map(len, mine[-1])) + len(chunk) > max_records:
                mine.append([])
            mine[-1].append(chunk)
        return [Chunk.merge(run) for mine in runs.values() for run in mine]


@dataclass(frozen=True, slots=True)
class Amount:
    """Records and the bytes of their values."""

    records: int
    octets: int

    @staticmethod
    def of(chunk: Chunk) -> Amount:
        """What one chunk holds."""
        offsets, _ = buffers_of(chunk.values)
        return Amount(len(chunk), int(offsets[-1] - offsets[0]))

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.records + other.records, self.octets + other.octets)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.records - other.records, self.octets - other.octets)

    def within(self, limit: Amount) -> bool:
        """Below the limit in both."""
        return self.records < limit.records and self.octets < limit.octets
