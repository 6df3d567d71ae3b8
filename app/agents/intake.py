"""Chunks from a Faust stream, merged into micro-batches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from app.core.batch import ClosedBy, MicroBatch
from app.core.chunk import Chunk
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
        """Each micro-batch with the Faust events to acknowledge when its effects are durable."""
        while True:
            events = [await self._event(None)]
            chunks: list[Chunk] = [events[0].value]
            deadline = time.monotonic() + self._max_wait_s
            closed_by, rows = ClosedBy.WAIT, len(chunks[0])
            while rows < self._max_rows:
                event = await self._event(deadline)
                if event is None:
                    break
                if rows + len(event.value) > self._max_rows:
                    self._put_back(event)
                    closed_by = ClosedBy.ROWS
                    break
                events.append(event)
                chunks.append(event.value)
                rows += len(event.value)
            else:
                closed_by = ClosedBy.ROWS
            begun = [(event, chunk) for event, chunk in zip(events, chunks, strict=True) if self._app.begin(chunk)]
            if begun:
                wait_s = time.monotonic() - min(chunk.fetched_at_s for _, chunk in begun)
                yield MicroBatch(tuple(chunk for _, chunk in begun), closed_by, wait_s), [event for event, _ in begun]

    async def _event(self, deadline: float | None) -> Any:
        """The next event; None when the deadline (monotonic seconds) comes first. The wait for it then goes on."""
        if self._next is None:
            self._next = asyncio.ensure_future(self._events.__anext__())
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
