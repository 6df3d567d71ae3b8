"""Of several workers of a group one is active: the one that has the only partition of a topic that all of them join."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from weir.agents.worker.host import parked_on_failure
from weir.core.chunk import Partition
from weir.edges.kafka.faust_app import ChunkApp, chunk_topic

STANDBY_S: Final = 0.5  # how late a worker may notice that it has become the active one


def elected(app: ChunkApp, topic: str) -> Callable[[], bool]:
    """Join the others by this topic, of one partition; what is given says whether this worker is the active one.

    Records of the topic are passed over: whoever needs them reads them from their log.
    """
    holding = Partition(topic, 0)

    async def heard(stream: Any) -> None:
        await parked_on_failure(app, _pass(app, stream))

    app.agent(chunk_topic(app, topic), name="active")(heard)
    return lambda: holding in app.progress() and app.failure is None and not app.should_stop


async def _pass(app: ChunkApp, stream: Any) -> None:
    async for event in stream.events():
        for chunk in event.value:
            if app.begin(chunk):
                app.ack(chunk)
