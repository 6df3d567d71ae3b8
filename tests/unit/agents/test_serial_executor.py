"""One piece of work at a time, in the order of the calls."""

from __future__ import annotations

import asyncio
import threading

import pytest
from weir.agents.worker.serial_executor import SMALL_ROWS, SerialExecutor

from tests.waiting import WAIT_S

LARGE, SMALL = SMALL_ROWS + 1, SMALL_ROWS


def test_small_work_is_done_on_the_loop_and_large_work_beside_it():
    async def run() -> list[bool]:
        with SerialExecutor("test") as executor:
            threads = [await executor.start(threading.current_thread, rows=rows) for rows in (SMALL, LARGE, SMALL)]
        return [thread is threading.current_thread() for thread in threads]

    assert asyncio.run(run()) == [True, False, True]


def test_small_work_does_not_overtake_large_work():
    begun, may_end, order = threading.Event(), threading.Event(), []

    def large() -> None:
        begun.set()
        assert may_end.wait(WAIT_S)
        order.append("large")

    async def run() -> None:
        with SerialExecutor("test") as executor:
            first = executor.start(large, rows=LARGE)
            assert await asyncio.to_thread(begun.wait, WAIT_S)
            second = executor.start(lambda: order.append("small"), rows=SMALL)
            assert not second.done()
            may_end.set()
            await asyncio.gather(first, second)

    asyncio.run(run())
    assert order == ["large", "small"]


@pytest.mark.parametrize("rows", [SMALL, LARGE])
def test_what_the_work_raises_is_raised_where_it_is_awaited(rows: int):
    def fail() -> None:
        raise RuntimeError("no")

    async def run() -> None:
        with SerialExecutor("test") as executor:
            future = executor.start(fail, rows=rows)
            with pytest.raises(RuntimeError, match="no"):
                await future

    asyncio.run(run())
