"""Which offsets of a partition have been acknowledged."""

from __future__ import annotations

from collections import deque


class OffsetTracker:
    """Which chunks of one partition are out for work, and up to where everything is acknowledged.

    Chunks are opened in offset order, each where the one before it ended, and may be acknowledged in any order;
    `committable` is the end of the longest acknowledged prefix, so a commit never passes work in flight, nor a chunk
    that was fetched and got lost on its way to the work.

    start: offset at which the first chunk begins; None takes whatever comes first.

    >>> tracker = OffsetTracker(0); tracker.open(0, 9); tracker.open(10, 19)
    >>> tracker.ack(10, 19); tracker.committable is None
    True
    >>> tracker.ack(0, 9); tracker.committable
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
