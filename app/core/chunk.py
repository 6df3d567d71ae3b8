"""Kafka records by the chunk, and the book of what has been acknowledged."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Partition(NamedTuple):
    """A topic and partition number."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Records of one partition, fetched together.

    first: position at which the fetch began; last: offset of the last record. A log may skip offsets (compaction,
    transaction markers), so [first, last] may hold more offsets than records; chunks of a partition tile its offsets.
    values: n record values; None is a tombstone. keys: n record keys. offsets: int64[n], ascending.
    oldest_ms, newest_ms: broker time of the first and of the last record, milliseconds since the epoch.
    fetched_at_s: monotonic seconds at which the fetch returned.
    generation: counts the assignments of the worker; a chunk of an earlier one is not to be worked on.
    """

    source: Partition
    first: int
    last: int
    values: list[bytes | None]
    keys: list[bytes | None]
    offsets: npt.NDArray[np.int64]
    oldest_ms: int
    newest_ms: int
    fetched_at_s: float
    generation: int = 0

    def __len__(self) -> int:
        return len(self.values)


class ChunkBook:
    """Which chunks of one partition are out for work, and up to where everything is acknowledged.

    Chunks are opened in offset order and may be acknowledged in any order; `committable` is the end of the longest
    acknowledged prefix, so a commit never passes work in flight.

    >>> book = ChunkBook(); book.open(0, 9); book.open(10, 19)
    >>> book.ack(10, 19); book.committable is None
    True
    >>> book.ack(0, 9); book.committable
    20
    """

    def __init__(self) -> None:
        self._open: deque[tuple[int, int]] = deque()
        self._acked: set[tuple[int, int]] = set()
        self.committable: int | None = None

    def __len__(self) -> int:
        """Chunks that are open or wait for an earlier one."""
        return len(self._open)

    def open(self, first: int, last: int) -> None:
        """Enter a chunk. Raises ValueError when it does not begin after the chunk before it."""
        if first > last or (self._open and first <= self._open[-1][1]):
            raise ValueError(f"chunk [{first}, {last}] does not follow {self._open[-1] if self._open else 'nothing'}")
        if self.committable is not None and first < self.committable:
            raise ValueError(f"chunk [{first}, {last}] begins before the acknowledged end {self.committable}")
        self._open.append((first, last))

    def ack(self, first: int, last: int) -> None:
        """Acknowledge an open chunk. Raises ValueError for one that is not open; a second ack is one."""
        if (first, last) in self._acked or (first, last) not in self._open:
            raise ValueError(f"chunk [{first}, {last}] is not open")
        self._acked.add((first, last))
        while self._open and self._open[0] in self._acked:
            done = self._open.popleft()
            self._acked.remove(done)
            self.committable = done[1] + 1
