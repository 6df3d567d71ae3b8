"""A librdkafka consumer polled from a thread of its own, delivering chunks and keeping its own books.

The thread keeps the group alive whatever the event loop does. It hands over one chunk per partition and poll, in a
queue that is bounded in records, and it is the only place that knows which chunks are out for work:

    fetched -> queued -> begun (in the book) -> acknowledged -> committable -> committed

Revocation drops what is queued, waits for what is begun, commits, and only then lets the partition go. The thread
commits by itself, every `commit_interval_s`: librdkafka's synchronous commit never returns while another thread polls.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from itertools import groupby
from operator import itemgetter

import numpy as np
from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, Message, TopicPartition

from app.core.chunk import Chunk, ChunkBook, Partition
from app.core.errors import Unavailable
from app.edges.kafka import client_config
from app.settings import Settings

POLL_S = 0.1          # longest wait in librdkafka; a stop request is seen this late at most
COMMITTED_S = 10.0    # a committed-offset or watermark request during a rebalance
PAUSE_AFTER_S = 1.0   # over the limit for longer than this: librdkafka stops fetching. Not at once: a pause throws the
                      # prefetched records away, and under steady load the limit is touched all the time.


class Poller:
    """Chunks of a subscription, at least once.

    on_ready: called from the polling thread whenever chunks or an error wait to be taken; must be thread-safe.
    on_assigned, on_revoked: called from the polling thread with partitions gained or lost; the books are in order then.
    drain_s: how long a revocation waits for work in flight.
    from_beginning: start at the beginning of the log whatever was committed, for a worker whose state is in memory.
    """

    def __init__(
        self,
        settings: Settings,
        group: str,
        topics: Iterable[str],
        *,
        on_ready: Callable[[], None],
        on_assigned: Callable[[set[Partition]], None],
        on_revoked: Callable[[set[Partition]], None],
        drain_s: float,
        from_beginning: bool = False,
    ) -> None:
        self._from_beginning = from_beginning
        self._settings, self._topics, self._drain_s = settings, list(topics), drain_s
        self._on_ready, self._on_assigned, self._on_revoked = on_ready, on_assigned, on_revoked
        self._lock = threading.Condition()
        self._queue: deque[Chunk] = deque()
        self._books: dict[Partition, ChunkBook] = {}
        self._position: dict[Partition, int] = {}
        self._committed: dict[Partition, int] = {}
        self._outstanding: dict[Partition, int] = {}
        self._generation = 0
        self._failure: BaseException | None = None
        self.joined = False
        self._stop = threading.Event()
        self._paused = False
        self._consumer = Consumer(consumer_config(settings, group))
        self._thread = threading.Thread(target=self._run, name=f"poll-{group}", daemon=True)

    # ---- the event loop's side

    def start(self) -> None:
        """Subscribe and begin polling."""
        self._thread.start()

    def take(self) -> list[Chunk]:
        """All chunks that wait, oldest first. Raises what the polling thread died of."""
        with self._lock:
            if self._failure is not None:
                raise self._failure
            chunks = list(self._queue)
            self._queue.clear()
        return chunks

    def begin(self, chunk: Chunk) -> bool:
        """Enter a chunk in the book before work on it; False when its partition has meanwhile been revoked."""
        with self._lock:
            book = self._books.get(chunk.source)
            if book is None or chunk.generation != self._generation:
                return False
            book.open(chunk.first, chunk.last)
            return True

    def ack(self, chunk: Chunk) -> bool:
        """The chunk's effects are durable. False when its partition was revoked: another worker will repeat it."""
        with self._lock:
            book = self._books.get(chunk.source)
            if book is None or chunk.generation != self._generation:
                return False
            book.ack(chunk.first, chunk.last)
            self._outstanding[chunk.source] -= len(chunk)
            self._lock.notify_all()
            return True

    def stop(self, *, drain: bool = True) -> None:
        """Wait for begun work within the drain time, commit, leave the group; without `drain`, give it up."""
        if not drain:
            self._drain_s = 0.0
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(self._drain_s + 2 * COMMITTED_S)

    def wait_idle(self, timeout_s: float, sources: set[Partition] | None = None) -> bool:
        """Block until no begun chunk (of these partitions) is open; False when time ran out."""
        def idle() -> bool:
            books = self._books.items()
            return not any(len(book) for source, book in books if sources is None or source in sources)

        with self._lock:
            return self._lock.wait_for(idle, timeout_s)

    @property
    def assignment(self) -> set[Partition]:
        """Partitions of this worker."""
        with self._lock:
            return set(self._books)

    @property
    def positions(self) -> dict[Partition, int]:
        """Where each partition was begun or has been committed to."""
        with self._lock:
            return dict(self._committed)

    @property
    def backlog(self) -> int:
        """Records fetched and not yet acknowledged."""
        with self._lock:
            return sum(self._outstanding.values())

    def highwater(self, source: Partition) -> int:
        """End of the log as last seen by the fetcher, without asking the broker; 0 when unknown."""
        try:
            return max(0, int(self._consumer.get_watermark_offsets(TopicPartition(*source), cached=True)[1]))
        except (KafkaException, TypeError):
            return 0

    # ---- the polling thread's side

    def _run(self) -> None:
        try:
            self._consumer.subscribe(self._topics, on_assign=self._assign, on_revoke=self._revoke, on_lost=self._lose)
            over_since: float | None = None
            next_commit = time.monotonic()
            while not self._stop.is_set():
                if time.monotonic() >= next_commit:
                    self._commit()
                    next_commit = time.monotonic() + self._settings.commit_interval_s
                if self.backlog < self._settings.inflight_max_records:
                    over_since = None
                    self._pause(False)
                    self._poll()
                    continue
                over_since = over_since or time.monotonic()
                if time.monotonic() - over_since > PAUSE_AFTER_S:
                    self._pause(True)
                    self._poll()                       # serves rebalances; paused partitions give nothing
                else:
                    with self._lock:
                        self._lock.wait(POLL_S)
            self.wait_idle(self._drain_s)
            self._commit()
        except Exception as error:                     # the thread's end is the worker's end: take() raises it
            with self._lock:
                self._failure = error
            self._on_ready()
        finally:
            self._consumer.close()

    def _commit(self) -> None:
        """Commit every book's acknowledged prefix. One too late for its generation is no error: another repeats it."""
        with self._lock:
            due = {
                source: book.committable
                for source, book in self._books.items()
                if book.committable is not None and book.committable > self._committed.get(source, -1)
            }
        if not due:
            return
        try:
            self._consumer.commit(
                offsets=[TopicPartition(*source, offset) for source, offset in due.items()], asynchronous=False
            )
        except KafkaException as error:
            if error.args[0].code() in _TOO_LATE:
                return
            raise
        with self._lock:
            self._committed.update({source: offset for source, offset in due.items() if source in self._books})

    def _poll(self) -> None:
        """One poll: the first record wakes us, and whatever else has been fetched comes with it."""
        first = self._consumer.poll(POLL_S)
        if first is None:
            return
        messages = [first, *self._consumer.consume(self._settings.chunk_max_records - 1, 0)]
        if any(map(Message.error, messages)):
            _raise(next(error for error in map(Message.error, messages) if error is not None))
        self._enqueue(messages)

    def _enqueue(self, messages: list[Message]) -> None:
        now = time.monotonic()
        sources = zip(map(Message.topic, messages), map(Message.partition, messages), strict=True)
        by_source: dict[tuple[str, int], list[Message]] = {}
        for source, run in groupby(zip(sources, messages, strict=True), key=itemgetter(0)):
            by_source.setdefault(source, []).extend(map(itemgetter(1), run))
        with self._lock:
            for (topic, partition), records in by_source.items():
                chunk = self._chunk(Partition(topic, partition), records, now)
                self._position[chunk.source] = chunk.last + 1
                self._outstanding[chunk.source] += len(chunk)
                self._queue.append(chunk)
        self._on_ready()

    def _chunk(self, source: Partition, records: list[Message], now: float) -> Chunk:
        offsets = np.fromiter(map(Message.offset, records), np.int64, len(records))
        return Chunk(
            source=source,
            first=self._position[source],
            last=int(offsets[-1]),
            values=list(map(Message.value, records)),
            keys=list(map(Message.key, records)),
            offsets=offsets,
            oldest_ms=int(records[0].timestamp()[1]),
            newest_ms=int(records[-1].timestamp()[1]),
            fetched_at_s=now,
            generation=self._generation,
        )

    def _pause(self, wanted: bool) -> None:
        if wanted == self._paused:
            return
        partitions = [TopicPartition(*source) for source in self.assignment]
        (self._consumer.pause if wanted else self._consumer.resume)(partitions)
        self._paused = wanted

    def _assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Start each partition at its committed offset, or at the beginning of its log."""
        start = {}
        for found in consumer.committed(partitions, COMMITTED_S):
            offset = found.offset
            if self._from_beginning or offset == OFFSET_INVALID or offset < 0:
                offset = consumer.get_watermark_offsets(TopicPartition(found.topic, found.partition), COMMITTED_S)[0]
            start[Partition(found.topic, found.partition)] = offset
        with self._lock:
            self._generation += 1
            self._paused = False
            self._queue.clear()
            self._books = {source: ChunkBook() for source in start}
            self._outstanding = dict.fromkeys(start, 0)
            self._position, self._committed = dict(start), dict(start)
            self.joined = True
        consumer.assign([TopicPartition(*source, offset) for source, offset in start.items()])
        self._on_assigned(set(start))

    def _revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        sources = {Partition(found.topic, found.partition) for found in partitions}
        with self._lock:
            self._queue = deque(chunk for chunk in self._queue if chunk.source not in sources)
        self.wait_idle(self._drain_s, sources)
        self._commit()
        self._forget(sources)
        consumer.unassign()

    def _lose(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """The group has moved on without us: nothing may be committed, and work in flight no longer counts."""
        self._forget({Partition(found.topic, found.partition) for found in partitions})
        consumer.unassign()

    def _forget(self, sources: set[Partition]) -> None:
        with self._lock:
            self._generation += 1
            self._queue.clear()
            for source in sources:
                for state in (self._books, self._position, self._committed, self._outstanding):
                    state.pop(source, None)
            self._lock.notify_all()
        self._on_revoked(sources)


def consumer_config(settings: Settings, group: str) -> dict[str, object]:
    """librdkafka configuration of a worker's consumer; public so that tests can look at it."""
    return client_config(settings, group) | {
        "group.id": group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",                  # we say where to begin; a log cut short must not go unseen
        "partition.assignment.strategy": "range",      # equal partition numbers of several topics meet in one worker
        "session.timeout.ms": int(settings.session_timeout_s * 1000),
        "heartbeat.interval.ms": int(settings.session_timeout_s * 1000 / 6),
        "fetch.wait.max.ms": settings.fetch_wait_max_ms,
        "queued.max.messages.kbytes": settings.fetch_queue_kbytes,
        "fetch.error.backoff.ms": 50,
    }


_TOO_LATE = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError._NO_OFFSET,
    KafkaError._STATE,
}


def _raise(error: KafkaError) -> None:
    """Turn librdkafka's word into ours. Connection troubles never come this way: librdkafka retries those itself."""
    code, text = error.code(), error.str()
    if code == KafkaError._AUTO_OFFSET_RESET:
        raise Unavailable(
            f"the committed offset is no longer in the log: {text}",
            remedy="retention has removed unread records; raise it, and reset the group's offsets to go on",
        )
    if code in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION):
        raise Unavailable(f"a subscribed topic does not exist: {text}", remedy="run `weir topics create`")
    if code in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED):
        raise Unavailable(
            f"Kafka refuses access: {text}", remedy="grant the worker read access, see schemas/topics.yaml"
        )
    raise Unavailable(f"Kafka reports {error.name()}: {text}", remedy="see the broker's log")
