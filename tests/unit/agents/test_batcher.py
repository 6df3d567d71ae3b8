"""Chunks merged into micro-batches, over a stream that a test feeds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from weir.agents.worker.batcher import Batcher
from weir.core.batch import ClosedBy
from weir.core.batching import FixedBatching
from weir.core.chunk import Chunk, Partition

END = object()


def chunk(partition: int, first: int, rows: int) -> Chunk:
    offsets = np.arange(first, first + rows, dtype=np.int64)
    return Chunk(
        Partition("t", partition),
        first,
        first + rows - 1,
        pa.array([b""] * rows, pa.large_binary()),
        pa.nulls(rows, pa.large_binary()),
        offsets,
        0,
        0,
        fetched_at_s=time.monotonic(),
    )


@dataclass(frozen=True)
class Event:
    """What an agent gets: its value is the chunks that waited."""

    value: tuple[Chunk, ...]


class Stream:
    """Stands for a Faust stream: what is put comes out as events; END ends it."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[object] = asyncio.Queue()

    def put(self, *items: object) -> None:
        for item in items:
            self._queue.put_nowait(item)

    async def events(self) -> AsyncIterator[Event]:
        while (item := await self._queue.get()) is not END:
            yield Event((item,) if isinstance(item, Chunk) else item)


class App:
    """Stands for the worker's app: refuses the chunks of partitions that it has lost."""

    def __init__(self, lost: tuple[int, ...] = ()) -> None:
        self._lost = lost
        self.begun: list[Chunk] = []
        self.wanted: list[tuple[int, float]] = []

    def begin(self, found: Chunk) -> bool:
        if found.source.partition in self._lost:
            return False
        self.begun.append(found)
        return True

    def waiting(self) -> int:
        return 0

    def want(self, records: int, wait_s: float) -> None:
        self.wanted.append((records, wait_s))


def shapes(found) -> list[tuple[list[tuple[int, int]], ClosedBy]]:
    return [([(part.source.partition, len(part)) for part in batch.chunks], batch.closed_by) for batch in found]


async def batches_of(items: list[object], app: App | None = None, max_rows: int = 10, max_wait_s: float = 0.0):
    stream = Stream()
    stream.put(*items, END)
    return [batch async for batch in Batcher(app or App(), stream, FixedBatching(max_rows, max_wait_s)).batches()]


def test_a_batch_closes_before_the_chunk_that_does_not_fit_and_that_chunk_opens_the_next():
    found = asyncio.run(batches_of([chunk(0, 0, 6), chunk(1, 0, 3), chunk(2, 0, 4), chunk(3, 0, 6)], max_wait_s=60.0))
    assert shapes(found) == [([(0, 6), (1, 3)], ClosedBy.ROWS), ([(2, 4), (3, 6)], ClosedBy.ROWS)]


def test_what_comes_in_one_piece_is_cut_where_the_batch_is_full():
    found = asyncio.run(batches_of([(chunk(0, 0, 6), chunk(1, 0, 3), chunk(2, 0, 4)), chunk(3, 0, 6)], max_wait_s=60.0))
    assert shapes(found) == [([(0, 6), (1, 3)], ClosedBy.ROWS), ([(2, 4), (3, 6)], ClosedBy.ROWS)]


def test_the_poller_is_told_what_is_worth_handing_over_whenever_the_intake_waits():
    app = App()
    asyncio.run(batches_of([chunk(0, 0, 6)], app, max_rows=7, max_wait_s=0.5))
    assert set(app.wanted) == {(7, 0.5)}


def test_a_wait_counts_from_when_the_first_record_was_there():
    async def run():
        stream = Stream()
        stream.put(replace(chunk(0, 0, 2), fetched_at_s=time.monotonic() - 60))
        batches = Batcher(App(), stream, FixedBatching(10, 30.0)).batches()
        async with asyncio.timeout(20):  # less than a batch waits from when it opens
            found = await anext(batches)
        await batches.aclose()
        return [found]

    assert shapes(asyncio.run(run())) == [([(0, 2)], ClosedBy.WAIT)]


def test_a_chunk_larger_than_a_batch_is_a_batch():
    found = asyncio.run(batches_of([chunk(0, 0, 25), chunk(0, 25, 1)], max_wait_s=60.0))
    assert shapes(found)[0] == ([(0, 25)], ClosedBy.ROWS)
    assert [len(batch) for batch in found] == [25, 1]


def test_a_batch_closes_when_nothing_more_comes_in_time():
    async def run():
        stream = Stream()
        batches = Batcher(App(), stream, FixedBatching(10, 0.02)).batches()
        stream.put((chunk(0, 0, 2), chunk(1, 0, 3)))  # in one piece: their time may be over when they are looked at
        first = await anext(batches)
        stream.put(chunk(0, 2, 4))  # comes while the wait of before goes on: not lost
        second = await anext(batches)
        await batches.aclose()
        return [first, second]

    found = asyncio.run(run())
    assert shapes(found) == [([(0, 2), (1, 3)], ClosedBy.WAIT), ([(0, 4)], ClosedBy.WAIT)]
    assert found[0].wait_s >= 0.02


def test_chunks_of_lost_partitions_are_left_out_and_a_batch_of_nothing_else_is_none():
    app = App(lost=(1,))
    items = [chunk(0, 0, 5), chunk(1, 0, 5), chunk(1, 5, 10), chunk(0, 5, 10)]
    found = asyncio.run(batches_of(items, app, max_wait_s=60.0))
    assert shapes(found) == [([(0, 5)], ClosedBy.ROWS), ([(0, 10)], ClosedBy.ROWS)]
    assert [part.source.partition for part in app.begun] == [0, 0]


def test_chunks_begin_in_the_order_in_which_they_came():
    app = App()
    items = [chunk(partition, round_ * 3, 3) for round_ in range(20) for partition in range(2)]
    asyncio.run(batches_of(items, app, max_rows=7, max_wait_s=60.0))
    assert app.begun == items


def test_the_end_of_the_stream_ends_the_batches_with_what_there_is():
    found = asyncio.run(batches_of([chunk(0, 0, 2)], max_wait_s=60.0))
    assert [len(batch) for batch in found] == [2]
    assert asyncio.run(batches_of([])) == []


def test_an_intake_that_is_given_up_leaves_no_task_behind():
    async def run() -> set[str]:
        stream = Stream()
        stream.put(chunk(0, 0, 2))
        batches = Batcher(App(), stream, FixedBatching(10, 0.0)).batches()
        await anext(batches)
        await batches.aclose()
        await asyncio.sleep(0)
        return {task.get_coro().__name__ for task in asyncio.all_tasks()} - {"run"}

    assert asyncio.run(run()) == set()
