"""A partition of this worker: how far it is fetched, worked on, acknowledged and committed."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from weir.core.chunk import Amount, Chunk
from weir.core.offset_tracker import OffsetTracker


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one partition is.

    position: next offset not acknowledged. highwater: end of the log as last seen, 0 when unknown.
    oldest_ms: broker time of the oldest record fetched and not acknowledged; None without one.
    fetched: records handed over since the partition was assigned.
    """

    position: int
    highwater: int
    oldest_ms: int | None
    fetched: int


@dataclass(slots=True)
class HeldPartition:
    """From its assignment to its revocation. Not thread-safe: Holdings guards it.

    committed: offset at which it began, or which was committed last. position: next offset to be fetched.
    outstanding: fetched and not acknowledged; begun: records of it on which work has begun. end: of the log as last
    seen, 0 when unknown.
    """

    committed: int
    position: int = field(init=False)
    tracker: OffsetTracker = field(init=False)
    outstanding: Amount = field(default_factory=lambda: Amount(0, 0))
    begun: int = 0
    fetched: int = 0
    end: int = 0
    _times: deque[tuple[int, int]] = field(default_factory=deque)  # (last offset, oldest_ms) by chunk

    def __post_init__(self) -> None:
        self.position, self.tracker = self.committed, OffsetTracker(self.committed)

    @property
    def waiting(self) -> int:
        """Records that are fetched, and on which no work has begun."""
        return self.outstanding.records - self.begun

    @property
    def due(self) -> int | None:
        """The offset to be committed; None when nothing has been acknowledged since the last commit."""
        end = self.tracker.committable
        return end if end is not None and end > self.committed else None

    @property
    def progress(self) -> Progress:
        """How far it is."""
        position = self.committed if self.tracker.committable is None else self.tracker.committable
        return Progress(position, self.end, self._times[0][1] if self._times else None, self.fetched)

    def add(self, chunk: Chunk) -> None:
        """A chunk was fetched."""
        self.position = chunk.last + 1
        self.outstanding += Amount.of(chunk)
        self.fetched += len(chunk)
        if len(chunk):
            self._times.append((chunk.last, chunk.oldest_ms))

    def begin(self, chunk: Chunk) -> None:
        """Work on a chunk begins."""
        self.tracker.open(chunk.first, chunk.last)
        self.begun += len(chunk)

    def ack(self, chunk: Chunk) -> None:
        """The effects of a chunk are durable."""
        self.tracker.ack(chunk.first, chunk.last)
        while self._times and self.tracker.committable is not None and self._times[0][0] < self.tracker.committable:
            self._times.popleft()
        self.outstanding -= Amount.of(chunk)
        self.begun -= len(chunk)
