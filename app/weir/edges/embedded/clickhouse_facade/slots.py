"""Places for statements of one kind, so that one kind never waits for another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from weir.edges.embedded.clickhouse_facade.faults import TOO_MANY_SIMULTANEOUS_QUERIES, Fault
from weir.edges.embedded.clickhouse_facade.outlets import LOOK_EVERY_S, Gone

QUEUE_S = 30.0  # how long a statement waits before it is refused
QUEUE_LENGTH = 64  # and how many may wait: each holds a thread and the body of its request
END_S = 30.0  # how long the end waits for statements that run


class Slots:
    """A bounded number of places."""

    def __init__(self, count: int, what: str) -> None:
        self._count, self._what = count, what
        self._free = threading.BoundedSemaphore(count)
        self._waiting = threading.BoundedSemaphore(QUEUE_LENGTH)

    @contextmanager
    def one(self, gone: Callable[[], bool]) -> Iterator[None]:
        """A place while the block runs.

        gone: whether nobody waits for the answer any more.

        Raises Fault when none comes free in time or too many wait, Gone.
        """
        if not self._free.acquire(blocking=False):
            self._wait(gone)
        try:
            yield
        finally:
            self._free.release()

    def _wait(self, gone: Callable[[], bool]) -> None:
        if not self._waiting.acquire(blocking=False):
            raise self._full(f"and {QUEUE_LENGTH} more wait")
        try:
            deadline_s = time.monotonic() + QUEUE_S
            while not self._free.acquire(timeout=LOOK_EVERY_S):
                if gone():
                    raise Gone
                if time.monotonic() > deadline_s:
                    raise self._full(f"for {QUEUE_S:g} s")
        finally:
            self._waiting.release()

    def _full(self, how_long: str) -> Fault:
        text = f"{self._count} {self._what} have run {how_long}"
        return Fault(TOO_MANY_SIMULTANEOUS_QUERIES, "TOO_MANY_SIMULTANEOUS_QUERIES", text)

    def close(self) -> None:
        """Wait for what runs, within a bound; nothing begins afterwards."""
        deadline_s = time.monotonic() + END_S
        for _ in range(self._count):
            self._free.acquire(timeout=max(0.0, deadline_s - time.monotonic()))
