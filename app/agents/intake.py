"""Chunks from a Faust stream, merged into micro-batches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from app.core.batch import ClosedBy, MicroBatch
from app.core.pace import FixedPace, Pace
from app.edges.transport import ChunkApp

UNDERWAY_S = 0.02  # for chunks fetched before the batch opened: Faust hands them over in some turns of the event loop


class Intake:
    """Merges whatever waits; the pace says when a batch closes.

    A batch opens with the first chunk. What has been fetched by then comes with it, as far as it fits, so that whatever
    gathered while a batch was worked on is the next batch; for more it waits as long as the pace allows.
    """

    def __init__(self, app: ChunkApp, stream: Any, pace: Pace | FixedPace) -> None:
        self._app, self._pace = app, pace
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
        events, rows, opened_s = [event], len(event.value), time.monotonic()
        self._pace.arrived(rows, opened_s)
        oldest_ms, fetched = event.value.oldest_ms, self._app.waiting()
        while rows < self._pace.max_rows:
            now_s = time.monotonic()
            age_s = max(0.0, time.time() - oldest_ms / 1000)
            left_s, why = self._pace.wait_s(rows, now_s - opened_s, age_s, now_s)
            if rows < fetched:
                left_s = max(left_s, opened_s + UNDERWAY_S - now_s)
            event = await self._event(now_s + left_s)
            if event is None:
                return events, why
            if rows + len(event.value) > self._pace.max_rows:
                self._put_back(event)
                break
            events.append(event)
            rows += len(event.value)
            oldest_ms = min(oldest_ms, event.value.oldest_ms)
            self._pace.arrived(len(event.value), time.monotonic())
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
