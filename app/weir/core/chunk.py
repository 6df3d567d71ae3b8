"""Kafka records by the chunk, and the book of what has been acknowledged."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.octets import layout


class Partition(NamedTuple):
    """A topic and partition number."""

    topic: str
    partition: int


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

    def __len__(self) -> int:
        return len(self.values)

    @staticmethod
    def of_nothing(source: Partition, first: int, last: int, at_ms: int, at_s: float, generation: int) -> Chunk:
        """Offsets without a record, fetched at that wall and monotonic time."""
        nothing = pa.array([], pa.large_binary())
        return Chunk(source, first, last, nothing, nothing, np.empty(0, np.int64), at_ms, at_ms, at_s, generation)

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
        offsets, _ = layout(chunk.values)
        return Amount(len(chunk), int(offsets[-1] - offsets[0]))

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.records + other.records, self.octets + other.octets)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.records - other.records, self.octets - other.octets)

    def within(self, limit: Amount) -> bool:
        """Below the limit in both."""
        return self.records < limit.records and self.octets < limit.octets


class ChunkBook:
    """Which chunks of one partition are out for work, and up to where everything is acknowledged.

    Chunks are opened in offset order, each where the one before it ended, and may be acknowledged in any order;
    `committable` is the end of the longest acknowledged prefix, so a commit never passes work in flight, nor a chunk
    that was fetched and got lost on its way to the work.

    start: offset at which the first chunk begins; None takes whatever comes first.

    >>> book = ChunkBook(0); book.open(0, 9); book.open(10, 19)
    >>> book.ack(10, 19); book.committable is None
    True
    >>> book.ack(0, 9); book.committable
    20
    """

    def __init__(self, start: int | None = None) -> None:
        self._next = start
        self._chunks: deque[tuple[int, int]] = deque()
        self._open: set[tuple[int, int]] = set()
        self.committable: int | None = None

    def __len__(self) -> int:
        """Chunks that are open or wait for an earlier one; 0 only when all are acknowledged."""
        return len(self._chunks)

    def open(self, first: int, last: int) -> None:
        """Enter a chunk. Raises ValueError when it does not begin where the chunk before it ended."""
        if first > last or (self._next is not None and first != self._next):
            raise ValueError(f"chunk [{first}, {last}] does not begin at {self._next}, where the one before it ended")
        self._chunks.append((first, last))
        self._open.add((first, last))
        self._next = last + 1

    def ack(self, first: int, last: int) -> None:
        """Acknowledge an open chunk, once. Raises ValueError for one that is not open."""
        if (first, last) not in self._open:
            raise ValueError(f"chunk [{first}, {last}] is not open")
        self._open.remove((first, last))
        while self._chunks and self._chunks[0] not in self._open:
            self.committable = self._chunks.popleft()[1] + 1
