"""Chunks from a Faust stream, merged into micro-batches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from app.core.batch import ClosedBy, MicroBatch
from app.edges.transport import ChunkApp


class Intake:
    """Merges whatever waits, bounded by rows and by waiting time.

    A batch opens with the first chunk and closes when it holds `max_rows`, when the next chunk would exceed them, or
    `max_wait_s` after it opened. While a batch is worked on, chunks gather in Faust's buffer: under load the next batch
    closes by rows without waiting.
    """

    def __init__(self, app: ChunkApp, stream: Any, max_rows: int, max_wait_s: float) -> None:
        self._app, self._max_rows, self._max_wait_s = app, max_rows, max_wait_s
        self._events = stream.noack().events().__aiter__()
        self._next: asyncio.Future[Any] | None = None

    async def batches(self) -> AsyncIterator[tuple[MicroBatch, list[Any]]]:
        """Each micro-batch with the Faust events to acknowledge when its effects are durable; ends with the stream."""
        try:
            while (event := await self._event(None)) is not None:
                events, closed_by = await self._gather(event)
                begun = [event for event in events if self._app.begin(event.value)]
                if begun:
                    chunks = tuple(event.value for event in begun)
                    wait_s = time.monotonic() - min(chunk.fetched_at_s for chunk in chunks)
                    yield MicroBatch(chunks, closed_by, wait_s), begun
        finally:
            if self._next is not None:
                self._next.cancel()

    async def _gather(self, event: Any) -> tuple[list[Any], ClosedBy]:
        """The events of one batch, beginning with `event`, and why it was closed."""
        events, rows = [event], len(event.value)
        deadline = time.monotonic() + self._max_wait_s
        while rows < self._max_rows:
            event = await self._event(deadline)
            if event is None:
                return events, ClosedBy.WAIT
            if rows + len(event.value) > self._max_rows:
                self._put_back(event)
                break
            events.append(event)
            rows += len(event.value)
        return events, ClosedBy.ROWS

    async def _event(self, deadline: float | None) -> Any:
        """The next event; None when the stream has ended, or the deadline (monotonic seconds) comes first.

        The wait for the next event then goes on.
        """
        if self._next is None:
            self._next = asyncio.ensure_future(anext(self._events, None))
        if not self._next.done():
            timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
            await asyncio.wait({self._next}, timeout=timeout)
            if not self._next.done():
                return None
        found, self._next = self._next, None
        return found.result()

    def _put_back(self, event: Any) -> None:
        waiting: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        waiting.set_result(event)
        self._next = waiting
