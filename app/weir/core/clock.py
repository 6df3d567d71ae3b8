"""What time it is, for deadlines and for the age of a cached feature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """now_ms(newest_event_ms): milliseconds since the epoch UTC, given the newest event time of the batch at hand."""

    def now_ms(self, newest_event_ms: int) -> int:
        """Milliseconds since the epoch, UTC."""
        ...


class WallClock:
    """Time is the machine's. wall_s: seconds since the epoch, time.time in production."""

    def __init__(self, wall_s: Callable[[], float]) -> None:
        self._wall_s = wall_s

    def now_ms(self, newest_event_ms: int) -> int:
        """The machine's time; what the events say does not matter."""
        return int(self._wall_s() * 1000)


class EventClock:
    """Time is what the newest event says; it never runs backwards. For replays of the past.

    >>> clock = EventClock(); clock.now_ms(50), clock.now_ms(40), clock.now_ms(60)
    (50, 50, 60)
    """

    def __init__(self) -> None:
        self._now_ms = 0

    def now_ms(self, newest_event_ms: int) -> int:
        """The newest event time seen so far."""
        self._now_ms = max(self._now_ms, newest_event_ms)
        return self._now_ms
