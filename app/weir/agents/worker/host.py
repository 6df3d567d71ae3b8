"""Runs one worker process: start, wait for a signal or a failure, drain, stop."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from weir.agents.worker import lag
from weir.core.errors import Unavailable
from weir.edges.kafka.faust_app import ChunkApp
from weir.telemetry import Telemetry

SWITCH_S = 1e-3  # how long a thread keeps the interpreter: less costs a full machine a tenth, more lets the loop wait
LOOK_S = 0.5  # between two looks whether the work of a worker is over
STOP_S = 60.0  # twice the sink budget: a drain that takes longer hangs


def run(new: Callable[[], ChunkApp], telemetry: Telemetry, role: str, over: Callable[[], bool] = lambda: False) -> bool:
    """Run the app that `new` makes, until SIGTERM or SIGINT drains it; tell meanwhile how far it is behind.

    new: called inside the event loop, since Faust binds to the loop at hand. over: once that is so, it is drained, too;
    whether that was why.
    Raises what made the worker fail: un-acknowledged chunks are then replayed by the group.
    """
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()  # what was opened stays until the end: no collection needs to look at it again
    return asyncio.run(_run(new, telemetry, role, over))


async def _run(new: Callable[[], ChunkApp], telemetry: Telemetry, role: str, over: Callable[[], bool]) -> bool:
    app = new()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(event.wait()) for event in (stop, app.failed)]
    ends = asyncio.ensure_future(_until(over))
    waits.append(ends)
    starting = asyncio.ensure_future(app.start())  # ends with the first assignment, which may never come
    structlog.get_logger(__name__).info("joining the group", group=app.conf.id)
    await asyncio.wait([*waits, starting], return_when=asyncio.FIRST_COMPLETED)
    if starting.done():
        await starting
    else:
        starting.cancel()
    telling = asyncio.ensure_future(lag.tell(app, telemetry, role))
    await asyncio.wait([*waits, telling], return_when=asyncio.FIRST_COMPLETED)
    is_over = ends.done()
    for wait in (*waits, telling):
        wait.cancel()
    for each in (ends, telling):
        if each.done() and not each.cancelled() and (error := each.exception()) is not None:
            app.fail(error)
    try:
        await asyncio.wait_for(app.stop(), STOP_S)
    except TimeoutError:
        app.fail(
            Unavailable(
                f"work in flight did not end within {STOP_S:g} s of the request to stop",
                remedy="start the worker again: the group replays what was not acknowledged",
            )
        )
    if app.failure is not None:
        raise app.failure
    return is_over


async def _until(over: Callable[[], bool]) -> None:
    while not over():
        await asyncio.sleep(LOOK_S)


async def parked_on_failure(app: ChunkApp, work: Awaitable[Any]) -> None:
    """Await an agent's work; when it raises, tell the app and wait to be stopped.

    Faust would restart the agent, which then never sees the un-acknowledged chunks again.
    """
    try:
        await work
    except Exception as error:  # whatever it is, the host raises it once the app has stopped
        app.fail(error)
        await asyncio.Event().wait()
