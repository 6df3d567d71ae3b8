"""When a stream is broken rather than a record."""

from __future__ import annotations

from collections import deque


class DeadLetterLimit:
    """Share of dead letters over the last `window` records.

    The share is always taken of a whole window, so that one bad record cannot stop a quiet service, and a stream that
    is broken from its first record is stopped once its dead letters alone exceed the share of a window: that many, and
    the rest of a batch, pass at each start.

    >>> limit = DeadLetterLimit(share=0.5, window=10)
    >>> limit.add(4, 4), limit.add(8, 0), limit.add(8, 5), limit.add(8, 4)
    (False, False, False, True)
    >>> DeadLetterLimit(share=0.5, window=10).add(6, 6)
    True
    """

    def __init__(self, share: float, window: int) -> None:
        self._limit, self._window = share, window
        self._batches: deque[tuple[int, int]] = deque()
        self.read = self.rejected = 0  # within the window

    def add(self, read: int, rejected: int) -> bool:
        """Count one micro-batch; True when the limit is passed."""
        self._batches.append((read, rejected))
        self.read, self.rejected = self.read + read, self.rejected + rejected
        while self._batches and self.read - self._batches[0][0] >= self._window:
            old_read, old_rejected = self._batches.popleft()
            self.read, self.rejected = self.read - old_read, self.rejected - old_rejected
        return self.rejected > self._limit * max(self.read, self._window)

    @property
    def share(self) -> float:
        """Dead letters per record in the window; 0 before the first record."""
        return self.rejected / self.read if self.read else 0.0
