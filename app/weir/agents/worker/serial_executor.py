"""Work on batches, one at a time and in order, beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")

SMALL_ROWS = 128  # two or three milliseconds of work, of which two changes of thread would cost a quarter


class SerialExecutor:
    """Runs work in a thread of its own, or on the event loop when it is small and nothing is under way.

    Never two pieces at a time, and in the order of the calls. Leaving the context waits for what is under way.
    """

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, name)
        self._under_way = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()

    def start(self, work: Callable[[], T], *, rows: int) -> asyncio.Future[T]:
        """What `work` gives, or raises, when it has been its turn. rows: its size. Called on the event loop."""
        loop = asyncio.get_running_loop()
        if rows <= SMALL_ROWS and not self._under_way:
            done: asyncio.Future[T] = loop.create_future()
            try:
                done.set_result(work())
            except Exception as error:  # whoever awaits it gets it, as from the thread
                done.set_exception(error)
            return done
        self._under_way += 1
        future = loop.run_in_executor(self._thread, work)
        future.add_done_callback(self._ended)
        return future

    def _ended(self, _future: asyncio.Future[T]) -> None:
        self._under_way -= 1
