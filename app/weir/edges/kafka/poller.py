"""A librdkafka consumer polled from a thread of its own, delivering chunks and keeping its own books.

The thread keeps the group alive whatever the event loop does. It hands over one chunk per partition and poll, in a
queue that is bounded in records, and it is the only place that knows which chunks are out for work:

    fetched -> queued -> begun (in the book) -> acknowledged -> committable -> committed

Revocation drops what is queued, lets nothing more begin, waits for what has begun, commits, and only then lets the
partition go. Where another log comes to stand under a topic's name, the books of the one before it are closed, as when
the group takes partitions away from a worker that it has lost.

The thread commits by itself, every `commit_interval_s`: librdkafka's synchronous commit never returns while another
thread polls, and keeps this one from polling.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from confluent_kafka import KafkaError, KafkaException

from weir.core.chunk import Amount, Chunk, Partition
from weir.edges.kafka.client import consumer_config
from weir.edges.kafka.commits import Commits, Offsets
from weir.edges.kafka.errors import FatalError, error_of, is_retriable, removed, replaced, retry, weir_error
from weir.edges.kafka.held_partition import HeldPartition, Progress
from weir.edges.kafka.librdkafka.consumer import Consumer, Polled, Records
from weir.edges.kafka.logs import Logs, LogWatch
from weir.settings import KafkaSettings

log = logging.getLogger(__name__)

POLL_S = 0.1  # longest wait in librdkafka; a stop request is seen this late at most
COMMITTED_S = 10.0  # a committed-offset or watermark request during a rebalance
HOLD_S = 0.005  # longest pause between two polls while chunks wait to be taken
PAUSE_AFTER_S = 1.0  # over the limit for longer than this: librdkafka stops fetching. Not at once: a pause throws the
# prefetched records away, and under steady load the limit is touched all the time.


def _on_trouble(error: KafkaError) -> None:
    """librdkafka reconnects by itself; whoever reads the log should know that it has to."""
    if error.code() == KafkaError._ALL_BROKERS_DOWN:
        log.warning("no Kafka broker can be reached: %s", error.str())


def _time_of(stamp_ms: int, now_ms: int) -> int:
    """When a record was written, as far as its producer's clock can be right: not before 1970, not after the read."""
    return min(stamp_ms, now_ms) if stamp_ms >= 0 else now_ms


class Poller:
    """Chunks of a subscription, at least once.

    on_ready: called from the polling thread whenever chunks or an error wait to be taken; must be thread-safe.
    on_assigned, on_revoked: called from the polling thread with partitions gained or lost; the books are in order then.
    drain_s: how long a revocation waits for work in flight.
    from_beginning: start at the beginning of the log whatever was committed, for a worker whose state is in memory.
    """

    def __init__(
        self,
        settings: KafkaSettings,
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
        self._held: dict[Partition, HeldPartition] = {}
        self._closing: set[Partition] = set()
        self._wanted = 1, 0.0
        self._generation = 0
        self.failure: BaseException | None = None  # what the polling thread died of
        self.joined = False  # the group has dealt out, and not taken back since
        self.paused = False  # librdkafka fetches nothing: too much is un-acknowledged
        self._quiet = self._abandoned = False
        self._stop = threading.Event()
        self._refusal = FatalError(_on_trouble)
        self._consumer = Consumer(consumer_config(settings, group), self._refusal)
        self._watch = LogWatch(settings, self._topics)
        self._logs: Logs = {}  # that the books are of
        self._given: set[Partition] = set()  # by the group; those of topics that do not exist are not held
        self._commits = Commits(self._consumer, settings, self._committed)
        self._thread = threading.Thread(target=self._run, name=f"poll-{group}", daemon=True)

    # ---- the event loop's side

    def start(self) -> None:
        """Subscribe and begin polling."""
        self._thread.start()

    def take(self) -> list[Chunk]:
        """All chunks that wait, by partition and as few as may be. Raises what the polling thread died of."""
        with self._lock:
            if self.failure is not None:
                raise self.failure
            chunks = list(self._queue)
            self._queue.clear()
            self._lock.notify_all()
        return Chunk.merged(chunks, self._settings.chunk_max_records)

    def want(self, records: int, wait_s: float) -> None:
        """How many records are worth taking at once, and how long the first of them may wait for the others.

        Records wait in librdkafka, where waiting costs nothing: each chunk that is handed over costs about as much as
        a hundred records in it. The wait counts from the first record's arrival, and ends POLL_S later at the latest.
        """
        self._wanted = records, min(wait_s, POLL_S)

    def begin(self, chunk: Chunk) -> bool:
        """Enter a chunk in the book before work on it; False when its partition is on its way to another worker."""
        with self._lock:
            held = self._held.get(chunk.source)
            if held is None or chunk.generation != self._generation or self._quiet or chunk.source in self._closing:
                return False
            held.begin(chunk)
            return True

    def ack(self, chunk: Chunk) -> bool:
        """The chunk's effects are durable. False when its partition was revoked: another worker will repeat it."""
        with self._lock:
            held = self._held.get(chunk.source)
            if held is None or chunk.generation != self._generation:
                return False
            held.ack(chunk)
            self._lock.notify_all()
            return True

    def quiesce(self, timeout_s: float) -> bool:
        """Let no chunk begin any more, and wait for those that have; False when time ran out."""
        with self._lock:
            self._quiet = True
        return self._wait_idle(timeout_s)

    def stop(self, *, drain: bool = True) -> None:
        """Wait for begun work within the drain time, commit, leave the group; without `drain`, give it up."""
        with self._lock:
            self._quiet = True
            self._abandoned = not drain
            self._lock.notify_all()
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(self._drain_s + 2 * COMMITTED_S)

    @property
    def draining(self) -> bool:
        """No work begins any more."""
        return self._quiet

    @property
    def assignment(self) -> set[Partition]:
        """Partitions of this worker."""
        with self._lock:
            return set(self._held)

    @property
    def positions(self) -> dict[Partition, int]:
        """Where each partition was begun or has been committed to."""
        with self._lock:
            return {source: held.committed for source, held in self._held.items()}

    @property
    def waiting(self) -> int:
        """Records that are fetched, and on which no work has begun."""
        with self._lock:
            return sum(held.waiting for held in self._held.values())

    @property
    def backlog(self) -> Amount:
        """Records, and the bytes of their values, that are fetched and not yet acknowledged."""
        with self._lock:
            return sum((held.outstanding for held in self._held.values()), Amount(0, 0))

    def progress(self) -> dict[Partition, Progress]:
        """How far every partition is."""
        with self._lock:
            return {source: held.progress for source, held in self._held.items()}

    def highwater(self, source: Partition) -> int:
        """End of the log as last seen by the fetcher, without asking the broker; 0 when unknown."""
        with self._lock:
            return self._held[source].end if source in self._held else 0

    # ---- the polling thread's side

    def _run(self) -> None:
        try:
            self._consumer.subscribe(
                self._topics,
                on_assign=self._assign,
                on_revoke=self._revoke,
                on_lost=self._lose,
                on_commit=self._commits.answered,
            )
            self._poll_until_stopped()
            self._wait_idle(self._drain_s)
            self._commits.now(self._due(), last=True)
        except Exception as error:  # the thread's end is the worker's end: take() raises it
            self._fail(error)
        try:
            self._consumer.close()  # revokes, in order, what is still assigned
        except KafkaException as error:
            self._fail(error)

    def _poll_until_stopped(self) -> None:
        over_since: float | None = None
        next_commit = time.monotonic()
        limit = Amount(self._settings.inflight_max_records, self._settings.inflight_max_kbytes * 1024)
        while not self._stop.is_set():
            self._refusal.check(self._settings.brokers)
            self._follow_logs()
            if time.monotonic() >= next_commit:
                self._commits.soon(self._due())
                self._look_at_ends()
                next_commit = time.monotonic() + self._settings.commit_interval_s
            if self.backlog.within(limit):
                over_since = None
                self._pause(False)
                self._hold()
                self._poll()
                continue
            over_since = over_since or time.monotonic()
            if time.monotonic() - over_since > PAUSE_AFTER_S:
                self._pause(True)
                self._poll()  # serves rebalances; paused partitions give nothing
            else:
                with self._lock:
                    self._lock.wait(POLL_S)

    def _follow_logs(self) -> None:
        """Close the books where a topic was made anew or is gone, and begin those of the logs that are there."""
        logs = self._watch.look()
        if logs is None or not self.joined or logs == self._logs:
            return
        if self._from_beginning and (anew := sorted(topic for topic in logs if logs[topic] != self._logs.get(topic))):
            raise replaced(anew, self._settings.brokers)
        log.warning("topics are other logs than before: now %s", dict(logs))
        given = self._given
        self._lose(self.assignment)
        self._assign(given)

    def _fail(self, error: Exception) -> None:
        if isinstance(error, KafkaException):
            error = weir_error(error_of(error), self._settings.brokers)
        with self._lock:
            self.failure = self.failure or error
        self._on_ready()

    def _wait_idle(self, timeout_s: float, sources: set[Partition] | None = None) -> bool:
        """Block until no begun chunk (of these partitions) is open; False when time ran out or work was given up."""

        def idle() -> bool:
            held = self._held.items()
            return not any(len(one.tracker) for source, one in held if sources is None or source in sources)

        with self._lock:
            self._lock.wait_for(lambda: self._abandoned or idle(), timeout_s)
            return idle()

    def _due(self) -> Offsets:
        """The end of every book's acknowledged prefix that is not committed."""
        with self._lock:
            return {source: held.due for source, held in self._held.items() if held.due is not None}

    def _committed(self, offsets: Offsets) -> None:
        with self._lock:
            for source, offset in offsets.items():
                if (held := self._held.get(source)) is not None:
                    held.committed = max(held.committed, offset)  # answers of two commits may come in any order

    def _look_at_ends(self) -> None:
        """What the last fetches said of the ends of the logs.

        Here, since any call to the consumer from another thread waits until this one has stopped polling, for ever.
        """
        ends = {source: self._consumer.end(source) for source in self.assignment}
        with self._lock:
            for source, end in ends.items():
                if source in self._held:
                    self._held[source].end = end or 0

    def _hold(self) -> None:
        """While a few chunks wait to be taken, let more records gather: each poll costs them both as much as many."""

        def wanted() -> bool:
            return not self._queue or sum(map(len, self._queue)) >= self._settings.chunk_max_records

        with self._lock:
            self._lock.wait_for(lambda: wanted() or self._stop.is_set(), HOLD_S)

    def _poll(self) -> None:
        """One poll: the first record wakes us, and whatever else is there when enough are comes with it."""
        generation, (enough, wait_s) = self._generation, self._wanted
        polled = self._consumer.poll(self._settings.chunk_max_records, POLL_S, enough, wait_s)
        for error in polled.errors:
            if not is_retriable(error):
                raise weir_error(error, self._settings.brokers)
        if self._generation != generation:
            self._fetch_again()
        else:
            self._enqueue(polled)

    def _fetch_again(self) -> None:
        """Partitions came or went while records were being handed over: which generation they are of cannot be told.

        They are dropped, and fetching starts once more where the books are.
        """
        with self._lock:
            positions = {source: held.position for source, held in self._held.items()}
            self.paused = False
        if positions:
            self._consumer.assign(positions)

    def _enqueue(self, polled: Polled) -> None:
        """A chunk of each partition that moved: of its records, or of offsets alone that hold none."""
        with self._lock:
            now_ms = time.time_ns() // 1_000_000
            chunks = [self._chunk(records, polled, now_ms) for records in polled.records]
            came = {chunk.source for chunk in chunks}
            for source, end in polled.positions.items():
                if source not in came and end > self._held[source].position:
                    first = self._held[source].position
                    chunk = Chunk.of_nothing(source, first, end - 1, now_ms, polled.came_s, self._generation)
                    chunks.append(replace(chunk, log=self._logs[source.topic]))
            for chunk in chunks:
                self._held[chunk.source].add(chunk)
            self._queue += chunks
        if chunks:
            self._on_ready()

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
            generation=self._generation,
            log=self._logs[records.source.topic],
        )

    def _pause(self, wanted: bool) -> None:
        if wanted == self.paused:
            return
        (self._consumer.pause if wanted else self._consumer.resume)(self.assignment)
        self.paused = wanted

    def _assign(self, sources: set[Partition]) -> None:
        self._given, self._logs = sources, self._watch.now()
        self._consumer.logs = self._logs
        start = self._starts({source for source in sources if source.topic in self._logs})
        with self._lock:
            self._generation += 1
            self.paused = False
            self._queue.clear()
            self._closing.clear()
            self._held = {source: HeldPartition(offset) for source, offset in start.items()}
            self._commits.reset()
            self.joined = True
        self._consumer.assign(start)
        self._on_assigned(set(start))

    def _starts(self, sources: set[Partition]) -> dict[Partition, int]:
        """The committed offset of each partition, or the beginning of its log where there is none of this log."""
        start = {}
        committed = partial(self._consumer.committed, sources, COMMITTED_S)
        for source, offset in retry(committed, COMMITTED_S).items() if sources else ():
            begin, _ = retry(partial(self._consumer.bounds, source, COMMITTED_S), COMMITTED_S)
            if offset is None or self._from_beginning:
                start[source] = begin
            elif offset < begin:  # one past the end is refused by the broker, when it is fetched
                raise removed(source, offset, begin, self._settings.brokers)
            else:
                start[source] = offset
        return start

    def _revoke(self, sources: set[Partition]) -> None:
        with self._lock:
            self._closing |= sources
            self._queue = deque(chunk for chunk in self._queue if chunk.source not in sources)
        self._wait_idle(self._drain_s, sources)
        self._commits.now(self._due())
        self._forget(sources)
        self._consumer.unassign()

    def _lose(self, sources: set[Partition]) -> None:
        """The group has moved on without us: nothing may be committed, and work in flight no longer counts."""
        self._forget(sources)
        self._consumer.unassign()

    def _forget(self, sources: set[Partition]) -> None:
        """Close the books of `sources`, which are all of ours: the range assignment revokes everything each time."""
        with self._lock:
            self._generation += 1
            self._commits.reset()
            self.joined = False  # until the group deals out again
            self._queue.clear()
            for source in sources:
                self._held.pop(source, None)
            self._lock.notify_all()
        self._on_revoked(sources)
