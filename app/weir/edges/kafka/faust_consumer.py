"""Faust's consumer, replaced: one Faust message for all chunks of a topic that wait, delivered by the poller.

It does not keep the offsets: Faust's own books take the jump between two chunks for a gap, acknowledge what failed, and
can commit past work in flight. So its acknowledgement says only that an agent has taken a message; work is acknowledged
by the chunk, see ChunkApp.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from typing import Any, Final, cast

import faust
from faust.transport.consumer import Consumer as FaustConsumer
from faust.types import TP, ConsumerMessage

from weir.core.chunk import Chunk, Partition
from weir.edges.kafka.poller import Poller
from weir.settings import Settings

# Else Faust's services speak in the name of these modules, and at the level of ours.
FAUST: Final = logging.getLogger("faust.weir")


class FailingApp(faust.App):
    """A Faust app that keeps the reason for which it cannot go on.

    settings, from_beginning: for its consumer. failure: the reason. failed: set once there is one.
    """

    logger = FAUST

    settings: Settings
    from_beginning: bool
    failure: BaseException | None = None
    failed: asyncio.Event

    def fail(self, error: BaseException) -> None:
        """Remember why the worker cannot go on; the first reason counts. Called on the app's loop."""
        self.failure = self.failure or error
        self.failed.set()

    def _crash(self, reason: BaseException) -> None:
        """A part of Faust has died, and took the app with it."""
        self.fail(reason)
        super()._crash(reason)


class ChunkConsumer(FaustConsumer):
    """A Faust consumer whose messages are chunks: `message.value` is a tuple of them, of one topic.

    Each message takes Faust several turns of the event loop, so that one for each chunk would cost more than its work.
    The message's partition and offset are those of its first chunk.
    """

    logger = FAUST

    app: FailingApp
    poller: Poller

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_offset = _NoOffsets()
        self._ready = asyncio.Event()
        self._loop_of_app: asyncio.AbstractEventLoop | None = None
        self._assigned: set[TP] = set()  # as Faust has been told
        self._held: list[Chunk] = []  # taken, and waiting for Faust to hear of its partitions
        self._told = self._heard = 0  # rebalances: counted by the poller's thread, and by the loop
        self._rebalance = asyncio.Lock()

    @property
    def polling(self) -> bool:
        """The subscription has begun."""
        return hasattr(self, "poller")

    # ---- life

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Start polling; Faust calls this once its agents have named their topics."""
        self._loop_of_app = asyncio.get_running_loop()
        self.poller = Poller(
            self.app.settings.kafka,
            self.app.conf.id,
            topics,
            on_ready=self._wake,
            on_assigned=lambda sources: self._tell(self._assign, sources),
            on_revoked=lambda sources: self._tell(self._revoke, sources),
            drain_s=self.app.settings.kafka.sink_budget_s,
            from_beginning=self.app.from_beginning,
        )
        self.poller.start()

    def _wake(self) -> None:
        if self._loop_of_app is not None and not self._loop_of_app.is_closed():
            self._loop_of_app.call_soon_threadsafe(self._on_ready)

    def _on_ready(self) -> None:
        self._ready.set()
        if self.poller.holdings.failure is not None:  # the polling thread's end is the worker's
            self.app.fail(self.poller.holdings.failure)

    def _tell(self, callback: Callable[[set[TP]], Coroutine[Any, Any, None]], sources: set[Partition]) -> None:
        """Run Faust's side of a rebalance on its loop; not waited for, since the books are in order by then."""
        self._told += 1
        if self._loop_of_app is not None and not self._loop_of_app.is_closed():
            hearing = self._hear(callback, {TP(*source) for source in sources})
            asyncio.run_coroutine_threadsafe(hearing, self._loop_of_app)

    async def _hear(self, callback: Callable[[set[TP]], Coroutine[Any, Any, None]], tps: set[TP]) -> None:
        """One rebalance after the other; chunks flow again when Faust knows where to send them."""
        try:
            async with self._rebalance:
                await callback(tps)
        except Exception as error:  # nobody awaits this
            self.app.fail(error)
        finally:
            self._heard += 1
            self._ready.set()

    async def _assign(self, tps: set[TP]) -> None:
        if not self.app.rebalancing:  # the first assignment follows no revocation
            self.app.on_rebalance_start()
        self._assigned = tps
        await self.on_partitions_assigned(tps)

    async def _revoke(self, tps: set[TP]) -> None:
        """Faust stops its flow and clears its queues while anything is assigned: the next generation's chunks too."""
        self.app.on_rebalance_start()
        self._assigned = self._assigned - tps
        await self.on_partitions_revoked(tps)

    async def on_stop(self) -> None:
        """Drain what agents have begun, commit, leave the group."""
        if self.polling:
            await asyncio.to_thread(self.poller.stop, drain=self.app.failure is None)
            if self.poller.holdings.failure is not None:
                self.app.fail(self.poller.holdings.failure)

    async def wait_empty(self) -> None:
        """When the app stops: begun work ends, bounded by the drain time, and nothing more begins.

        In a rebalance there is nothing to wait for: the poller has waited before it let the partitions go.
        """
        if self.polling and self.app.should_stop and self.app.failure is None:
            await asyncio.to_thread(self.poller.holdings.quiesce, self.app.settings.kafka.sink_budget_s)

    # ---- records

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """All chunks that wait; empty after `timeout` seconds without any."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)  # type: ignore[arg-type]  # mode accepts asyncio events
        self._ready.clear()
        chunks = self._take()
        if not chunks:
            try:
                await asyncio.wait_for(self._ready.wait(), timeout)
            except TimeoutError:
                return
            chunks = self._take()
        topics: dict[str, list[Chunk]] = {}
        for chunk in chunks:
            topics.setdefault(chunk.source.topic, []).append(chunk)
        for mine in topics.values():
            tp = TP(*mine[0].source)
            yield tp, self._to_message(tp, tuple(mine))

    def resume_flow(self) -> None:
        """Faust is ready for messages: it may be waiting for the next already."""
        super().resume_flow()
        self._ready.set()

    def _take(self) -> list[Chunk]:
        """What waits; nothing while Faust has yet to hear of a rebalance, since it could not place the chunks.

        The poller tells before it fetches, so that a chunk taken here never comes before the news of its partition.
        Nor anything before Faust lets messages flow again, some turns of the loop after it has heard: it would drop
        them.
        """
        if self.polling and self.poller.holdings.failure is None:
            self._held += self.poller.holdings.take()
        if self._told != self._heard or not self.flow_active:
            return []
        held, self._held = self._held, []
        return held

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        chunks = cast(tuple[Chunk, ...], record)
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            chunks[0].last,
            chunks[0].newest_ms / 1000,
            1,
            [],
            None,
            chunks,  # type: ignore[arg-type]  # any value travels; ChunkSchema hands it through
            None,
            0,
            0,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        raise AssertionError("getmany() is overridden; nothing calls this")

    # ---- books

    def ack(self, message: Any) -> bool:
        """An agent has taken the message; what becomes of its chunks, the poller hears by itself."""
        if message.acked:
            return False
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """The poller commits acknowledged prefixes by itself."""
        return False

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Chunks say themselves which offsets they cover."""

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        raise AssertionError("force_commit() is overridden; nothing calls this")

    # ---- positions: the poller seeks when partitions are assigned, so that Faust's seeks have nothing to do

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Where each partition starts; the poller is there already."""
        return {TP(*source): offset for source, offset in self.poller.holdings.committed.items()}

    async def perform_seek(self) -> None:
        """Nothing to seek."""

    async def _seek(self, partition: TP, offset: int) -> None:
        """Nothing to seek: the poller decides where a partition begins."""

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Nothing to wait for."""

    async def position(self, tp: TP) -> int | None:
        """Committed position of a partition."""
        return self.poller.holdings.committed.get(Partition(*tp))

    def assignment(self) -> set[TP]:
        """Partitions of this worker, as Faust has been told; a new set, since Faust keeps it."""
        return set(self._assigned)

    def highwater(self, tp: TP) -> int:
        """End of the log as last seen by the fetcher."""
        return self.poller.holdings.highwater(Partition(*tp))

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        """Used by Faust's tables, of which there are none."""
        return dict.fromkeys(partitions, 0)

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """End of the log by partition."""
        return {tp: self.highwater(tp) for tp in partitions}

    def topic_partitions(self, topic: str) -> int | None:
        """Unknown here; topics are declared in schemas/topics.yaml."""
        return None

    def key_partition(self, topic: str, key: bytes | None, partition: int | None = None) -> int | None:
        """Only used by Faust's own producer."""
        return partition

    async def create_topic(self, topic: str, partitions: int, replication: int, **options: Any) -> None:
        """Topics are created by `weir topics create`, never by a worker."""

    def _new_topicpartition(self, topic: str, partition: int) -> TP:
        return TP(topic, partition)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's livelock detector reads its own books; ours are watched by the lag metric."""


class _NoOffsets(defaultdict[TP, int | None]):
    """Remembers nothing: Faust drops a message whose offset is below the one it read last.

    Chunks have no such offset: after a rebalance the same records come in other chunks.
    """

    def __missing__(self, tp: TP) -> None:
        return None

    def __setitem__(self, tp: TP, offset: int | None) -> None:
        """Forget it."""
