"""The partitions that a worker holds, and the chunks of them: the state that its two threads share, under one lock.

    fetched -> queued -> begun -> acknowledged -> committable -> committed

The event loop takes chunks, begins and acknowledges them. The polling thread adds what it fetched, commits what is due,
and tells of partitions that come and go.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

from weir.core.chunk import Amount, Chunk, Partition
from weir.edges.kafka.held_partition import HeldPartition, Progress
from weir.edges.kafka.librdkafka.consumer import Polled, Records
from weir.edges.kafka.logs import Logs


class Holdings:
    """Held partitions by name, and the queue of their chunks. chunk_max_records: of chunks that are put together."""

    def __init__(self, chunk_max_records: int) -> None:
        self._chunk_max_records = chunk_max_records
        self._changed = threading.Condition()
        self._queue: deque[Chunk] = deque()
        self._held: dict[Partition, HeldPartition] = {}
        self._logs: Logs = {}
        self._closing: set[Partition] = set()  # on their way to another worker
        self._quiet = self._abandoned = False
        self.generation = 0  # counts assignments and revocations: chunks of an earlier one are not to be worked on
        self.failure: BaseException | None = None  # what the polling thread died of
        self.joined = False  # the group has dealt out, and not taken back since

    # ---- the event loop's side

    def take(self) -> list[Chunk]:
        """All chunks that wait, by partition and as few as may be. Raises what the polling thread died of."""
        with self._changed:
            if self.failure is not None:
                raise self.failure
            chunks = list(self._queue)
            self._queue.clear()
            self._changed.notify_all()
        return Chunk.merged(chunks, self._chunk_max_records)

    def begin(self, chunk: Chunk) -> bool:
        """Track a chunk before work on it; False when its partition is on its way to another worker."""
        with self._changed:
            held = self._held.get(chunk.source)
            if held is None or chunk.generation != self.generation or self._quiet or chunk.source in self._closing:
                return False
            held.begin(chunk)
            return True

    def ack(self, chunk: Chunk) -> bool:
        """The chunk's effects are durable. False when its partition was revoked: another worker will repeat it."""
        with self._changed:
            held = self._held.get(chunk.source)
            if held is None or chunk.generation != self.generation:
                return False
            held.ack(chunk)
            self._changed.notify_all()
            return True

    def quiesce(self, timeout_s: float) -> bool:
        """Let no chunk begin any more, and wait for those that have; False when time ran out."""
        with self._changed:
            self._quiet = True
        return self.wait_idle(timeout_s)

    def close(self, *, drain: bool) -> None:
        """Let no chunk begin any more; without `drain`, give up those that have."""
        with self._changed:
            self._quiet = True
            self._abandoned = not drain
            self._changed.notify_all()

    @property
    def draining(self) -> bool:
        """No work begins any more."""
        return self._quiet

    @property
    def sources(self) -> set[Partition]:
        """The partitions."""
        with self._changed:
            return set(self._held)

    @property
    def committed(self) -> dict[Partition, int]:
        """Where each partition was begun or has been committed to."""
        with self._changed:
            return {source: held.committed for source, held in self._held.items()}

    @property
    def waiting(self) -> int:
        """Records that are fetched, and on which no work has begun."""
        with self._changed:
            return sum(held.waiting for held in self._held.values())

    @property
    def backlog(self) -> Amount:
        """Records, and the bytes of their values, that are fetched and not yet acknowledged."""
        with self._changed:
            return sum((held.outstanding for held in self._held.values()), Amount(0, 0))

    def progress(self) -> dict[Partition, Progress]:
        """How far every partition is."""
        with self._changed:
            return {source: held.progress for source, held in self._held.items()}

    def highwater(self, source: Partition) -> int:
        """End of the log as last seen by the fetcher, without asking the broker; 0 when unknown."""
        with self._changed:
            return self._held[source].end if source in self._held else 0

    # ---- the polling thread's side

    def fail(self, error: BaseException) -> None:
        """The polling thread ends; the first reason counts."""
        with self._changed:
            self.failure = self.failure or error

    def assign(self, starts: Mapping[Partition, int], logs: Logs) -> None:
        """These partitions, each from its offset, and no others. logs: of their topics."""
        with self._changed:
            self._logs = logs
            self.generation += 1
            self._queue.clear()
            self._closing.clear()
            self._held = {source: HeldPartition(offset) for source, offset in starts.items()}
            self.joined = True

    def close_partitions(self, sources: set[Partition]) -> None:
        """Let no work on these begin any more."""
        with self._changed:
            self._closing |= sources
            self._queue = deque(chunk for chunk in self._queue if chunk.source not in sources)

    def forget(self, sources: set[Partition]) -> None:
        """Let go of `sources`, which are all: the range assignment revokes everything each time."""
        with self._changed:
            self.generation += 1
            self.joined = False  # until the group deals out again
            self._queue.clear()
            for source in sources:
                self._held.pop(source, None)
            self._changed.notify_all()

    def add(self, polled: Polled) -> bool:
        """Queue a chunk of each partition that moved: of its records, or of offsets that hold none; whether any did."""
        now_ms = time.time_ns() // 1_000_000
        with self._changed:
            chunks = [self._chunk(records, polled, now_ms) for records in polled.records]
            came = {chunk.source for chunk in chunks}
            for source, end in polled.positions.items():
                first = self._held[source].position
                if source not in came and end > first:
                    chunk = Chunk.of_nothing(source, first, end - 1, now_ms, polled.came_s, self.generation)
                    chunks.append(replace(chunk, log=self._logs[source.topic]))
            for chunk in chunks:
                self._held[chunk.source].add(chunk)
            self._queue += chunks
        return bool(chunks)

    def _chunk(self, records: Records, polled: Polled, now_ms: int) -> Chunk:
        return Chunk(
            source=records.source,
            first=self._held[records.source].position,
            last=polled.positions[records.source] - 1,
            values=records.values,
            keys=records.keys,
            offsets=records.offsets,
            oldest_ms=_time_of(records.oldest_ms, now_ms),
            newest_ms=_time_of(records.newest_ms, now_ms),
            fetched_at_s=polled.came_s,
            generation=self.generation,
            log=self._logs[records.source.topic],
        )

    def next_offsets(self) -> dict[Partition, int]:
        """Where the fetching of each partition goes on."""
        with self._changed:
            return {source: held.position for source, held in self._held.items()}

    def due(self) -> dict[Partition, int]:
        """The end of each partition's acknowledged prefix that is not committed."""
        with self._changed:
            return {source: held.due for source, held in self._held.items() if held.due is not None}

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """The group has these offsets; answers of two commits may come in any order."""
        with self._changed:
            for source, offset in offsets.items():
                if (held := self._held.get(source)) is not None:
                    held.committed = max(held.committed, offset)

    def see_ends(self, ends: Mapping[Partition, int | None]) -> None:
        """What the last fetches said of the ends of the logs."""
        with self._changed:
            for source, end in ends.items():
                if source in self._held:
                    self._held[source].end = end or 0

    def wait_for_room(self, timeout_s: float, stopped: Callable[[], bool]) -> None:
        """Block while a few chunks wait to be taken: each poll costs them both as much as many."""

        def room() -> bool:
            return not self._queue or sum(map(len, self._queue)) >= self._chunk_max_records

        with self._changed:
            self._changed.wait_for(lambda: room() or stopped(), timeout_s)

    def wait_for_change(self, timeout_s: float) -> None:
        """Block until something is taken or acknowledged."""
        with self._changed:
            self._changed.wait(timeout_s)

    def wait_idle(self, timeout_s: float, sources: set[Partition] | None = None) -> bool:
        """Block until no begun chunk (of these partitions) is open; False when time ran out or work was given up."""

        def idle() -> bool:
            held = self._held.items()
            return not any(len(one.tracker) for source, one in held if sources is None or source in sources)

        with self._changed:
            self._changed.wait_for(lambda: self._abandoned or idle(), timeout_s)
            return idle()


def _time_of(stamp_ms: int, now_ms: int) -> int:
    """When a record was written, as far as its producer's clock can be right: not before 1970, not after the read."""
    return min(stamp_ms, now_ms) if stamp_ms >= 0 else now_ms
