"""Chunks from a Faust stream, merged into micro-batches."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from weir.core.batch import ClosedBy, MicroBatch
from weir.core.batching import AdaptiveBatching, FixedBatching
from weir.core.chunk import Chunk
from weir.edges.kafka.faust_app import ChunkApp

UNDERWAY_S = 0.02  # for chunks fetched before the batch opened: Faust hands them over in some turns of the event loop


class Batcher:
    """Merges whatever waits; the batching policy says when a batch closes.

    A batch opens with the first chunk. What has been fetched by then comes with it, as far as it fits, so that whatever
    gathered while a batch was worked on is the next batch; for more it waits as long as the policy allows. The poller
    is told what is waited for, so that it comes in one piece.
    """

    def __init__(self, app: ChunkApp, stream: Any, batching: AdaptiveBatching | FixedBatching) -> None:
        self._app, self._batching = app, batching
        self._events = stream.events().__aiter__()
        self._next: asyncio.Future[Any] | None = None
        self._chunks: deque[Chunk] = deque()  # of events that have come, and in no batch yet

    async def batches(self) -> AsyncIterator[MicroBatch]:
        """Each micro-batch, its chunks begun; to be acknowledged when its effects are durable. Ends with the stream."""
        try:
            while (head := await self._chunk(None)) is not None:
                gathered, closed_by = await self._gather(head)
                chunks = tuple(chunk for chunk in gathered if self._app.begin(chunk))
                if chunks:
                    wait_s = time.monotonic() - min(chunk.fetched_at_s for chunk in chunks)
                    yield MicroBatch(chunks, closed_by, wait_s)
        finally:
            if self._next is not None:
                self._next.cancel()

    async def _gather(self, head: Chunk) -> tuple[list[Chunk], ClosedBy]:
        """The chunks of one batch, beginning with `head`, and why it was closed."""
        chunks, rows, began_s = [head], len(head), time.monotonic()
        self._batching.arrived(rows, began_s)
        opened_s, oldest_ms, fetched = head.fetched_at_s, head.oldest_ms, self._app.waiting()
        while rows < self._batching.max_rows:
            now_s = time.monotonic()
            age_s = max(0.0, time.time() - oldest_ms / 1000)
            left_s, why = self._batching.wait_s(rows, now_s - opened_s, age_s, now_s)
            if rows < fetched:
                left_s = max(left_s, began_s + UNDERWAY_S - now_s)
            chunk = await self._chunk(now_s + left_s)
            if chunk is None:
                return chunks, why
            if rows + len(chunk) > self._batching.max_rows:
                self._chunks.appendleft(chunk)
                break
            chunks.append(chunk)
            rows += len(chunk)
            oldest_ms = min(oldest_ms, chunk.oldest_ms)
            self._batching.arrived(len(chunk), time.monotonic())
        return chunks, ClosedBy.ROWS

    async def _chunk(self, deadline: float | None) -> Chunk | None:
        """The next chunk; None when the stream has ended, or the deadline (monotonic seconds) comes first.

        The wait for the next event then goes on.
        """
        if not self._chunks:
            self._app.want(*self._batching.wanted(time.monotonic()))
            self._chunks.extend(await self._event(deadline))
        return self._chunks.popleft() if self._chunks else None

    async def _event(self, deadline: float | None) -> tuple[Chunk, ...]:
        if self._next is None:
            self._next = asyncio.ensure_future(anext(self._events, None))
        if not self._next.done():
            timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
            await asyncio.wait({self._next}, timeout=timeout)
            if not self._next.done():
                return ()
        found, self._next = self._next, None
        event = found.result()
        return () if event is None else event.value
