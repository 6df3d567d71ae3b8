"""Faust's app, with a transport of ours: agents receive chunks, and work is acknowledged by the chunk.

Faust keeps agents, rebalancing, timers and web.
"""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import Any, ClassVar, cast

import faust
from faust.transport import base
from faust.transport.producer import Producer as FaustProducer
from faust.types.transports import ConsumerT, ProducerT
from mode.utils.queues import FlowControlEvent

from weir.core.chunk import Chunk, Partition
from weir.edges.kafka.faust_consumer import FAUST, ChunkConsumer, FailingApp
from weir.edges.kafka.held_partition import Progress
from weir.settings import Settings


class NoProducer(FaustProducer):
    """Faust asks for a producer; Weir writes through weir.edges.kafka.producer."""

    logger = FAUST

    async def flush(self) -> None:
        """Nothing is ever queued here."""


class Transport(base.Transport):
    """The transport of every Weir worker."""

    Consumer: ClassVar[type[ConsumerT]] = ChunkConsumer
    Producer: ClassVar[type[ProducerT]] = NoProducer
    driver_version = "weir-chunks"
    default_port = 9092


class ChunkSchema(faust.Schema):  # type: ignore[type-arg]  # keys and values are the chunks
    """Hands the chunks through; decoding is a stage of ours, on columns."""

    def compile(self, app: Any, **_options: Any) -> Any:
        """A decoder that decodes nothing."""
        from faust.events import Event  # noqa: PLC0415  # faust.events needs a configured app

        async def decode(message: Any, *, propagate: bool = False) -> Any:
            return Event(app, None, message.value, {}, message)

        return decode


class Flow(FlowControlEvent):
    """Faust's tap. Opened once more when it is open, it leaves the queues as they are.

    Faust opens it for each rebalance, late: what came after the one before it would be thrown away.
    """

    def resume(self) -> None:
        """Open it; what is left of the time before is thrown away."""
        if not self.is_active():
            super().resume()


class ChunkApp(FailingApp):
    """A Faust app whose agents receive chunks.

    Agents read topics made by `chunk_topic`, call `begin` before they work on a chunk, and `ack` when its effects are
    durable. One that cannot go on calls `fail`: the process stops and the group replays.
    """

    @cached_property
    def flow_control(self) -> FlowControlEvent:
        """Of the queues between the consumer and the agents."""
        return Flow()

    def begin(self, chunk: Chunk) -> bool:
        """Enter a chunk in the book; False when its partition is going or gone, and it must be skipped."""
        return cast(ChunkConsumer, self.consumer).poller.holdings.begin(chunk)

    def ack(self, chunk: Chunk) -> bool:
        """The chunk's effects are durable. False when its partition was revoked: another worker will repeat it."""
        return cast(ChunkConsumer, self.consumer).poller.holdings.ack(chunk)

    def want(self, records: int, wait_s: float) -> None:
        """How many records are worth taking at once, and how long the first of them may wait for the others."""
        consumer = cast(ChunkConsumer, self.consumer)
        if consumer.polling:
            consumer.poller.want(records, wait_s)

    def waiting(self) -> int:
        """Records that are fetched, and on which no work has begun."""
        return cast(ChunkConsumer, self.consumer).poller.holdings.waiting

    def progress(self) -> dict[Partition, Progress]:
        """How far the worker is in each of its partitions; empty before it has joined its group."""
        consumer = cast(ChunkConsumer, self._consumer)
        return consumer.poller.holdings.progress() if consumer is not None and consumer.polling else {}

    def ready(self) -> tuple[bool, str]:
        """Whether the worker is in its group and takes work, for the readiness page."""
        if self.failure is not None:
            return False, f"stopping: {self.failure}"
        consumer = cast(ChunkConsumer, self._consumer)
        if consumer is None or not consumer.polling or not consumer.poller.holdings.joined:
            return False, "joining the consumer group"
        if consumer.poller.holdings.draining:
            return False, "draining"
        return True, f"{len(consumer.poller.holdings.sources)} partitions"


def new_app(settings: Settings, group: str, *, from_beginning: bool = False) -> ChunkApp:
    """The Faust app of a worker in consumer group `group`.

    from_beginning: read the whole log at every start, for a worker whose state is in memory alone.
    """
    datadir = settings.paths.home / "faust"
    datadir.parent.mkdir(parents=True, exist_ok=True)
    app = ChunkApp(
        group,
        broker="confluent://" + settings.kafka.brokers.replace(",", ";confluent://"),
        store="memory://",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=True,  # a stopping worker finishes what it has begun
        stream_recovery_delay=0.0,
        stream_buffer_maxsize=4096,  # chunks; the poller bounds them in records
        broker_commit_interval=settings.kafka.commit_interval_s,
        broker_session_timeout=settings.kafka.session_timeout_s,
        broker_request_timeout=max(90.0, 2 * settings.kafka.session_timeout_s),
        datadir=str(datadir),
    )
    app.settings, app.failed, app.from_beginning = settings, asyncio.Event(), from_beginning
    app.transport = Transport(app.conf.broker_consumer, app)
    app.producer_transport = app.transport
    return app


def chunk_topic(app: ChunkApp, *names: str) -> Any:
    """A Faust topic whose events carry tuples of chunks."""
    return app.topic(*names, schema=ChunkSchema(), value_type=None)
