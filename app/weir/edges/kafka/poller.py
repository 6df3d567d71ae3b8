"""A librdkafka consumer polled from a thread of its own, delivering chunks.

The thread keeps the group alive whatever the event loop does. It hands over one chunk per partition and poll, in a
queue that is bounded in records; `holdings` knows which chunks are out for work.

Revocation drops what is queued, lets nothing more begin, waits for what has begun, commits, and only then lets the
partition go. Where another log comes to stand under a topic's name, its partitions are let go, as when the group takes
them away from a worker that it has lost.

The thread commits by itself, every `commit_interval_s`: librdkafka's synchronous commit never returns while another
thread polls, and keeps this one from polling.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial

import structlog
from confluent_kafka import KafkaError, KafkaException

from weir.core.chunk import Amount, Partition
from weir.edges.kafka.client import consumer_config
from weir.edges.kafka.commits import Commits
from weir.edges.kafka.errors import OF_A_LOG, FatalError, error_of, is_retriable, removed, replaced, retry, weir_error
from weir.edges.kafka.holdings import Holdings
from weir.edges.kafka.librdkafka.consumer import Consumer
from weir.edges.kafka.logs import Logs, LogWatch, of_id
from weir.setting_groups import KafkaSettings

POLL_S = 0.1  # longest wait in librdkafka; a stop request is seen this late at most
COMMITTED_S = 10.0  # a committed-offset or watermark request during a rebalance
HOLD_S = 0.005  # longest pause between two polls while chunks wait to be taken
PAUSE_AFTER_S = 1.0  # over the limit for longer than this: librdkafka stops fetching. Not at once: a pause throws the
# prefetched records away, and under steady load the limit is touched all the time.
OUTLIVED_S = 5.0  # for so long errors of a log that was made anew may come, from the broker and from librdkafka's queue


def _on_trouble(error: KafkaError) -> None:
    """librdkafka reconnects by itself; whoever reads the log should know that it has to."""
    if error.code() == KafkaError._ALL_BROKERS_DOWN:
        structlog.get_logger(__name__).warning("no Kafka broker can be reached", reason=error.str())


class Poller:
    """Chunks of a subscription, at least once; they are taken, begun and acknowledged in `holdings`.

    on_ready: called from the polling thread whenever chunks or an error wait to be taken; must be thread-safe.
    on_assigned, on_revoked: called from the polling thread with partitions gained or lost, when `holdings` has them.
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
        self.holdings = Holdings(settings.chunk_max_records)
        self.paused = False  # librdkafka fetches nothing: too much is un-acknowledged
        self._wanted = 1, 0.0
        self._stop = threading.Event()
        self._refusal = FatalError(_on_trouble)
        self._consumer = Consumer(consumer_config(settings, group), self._refusal)
        self._watch = LogWatch(settings, self._topics)
        self._logs: Logs = {}  # that the partitions are of
        self._given: set[Partition] = set()  # by the group; those of topics that do not exist are not held
        self._followed_s = -OUTLIVED_S
        self._commits = Commits(self._consumer, settings, self.holdings.commit)
        self._thread = threading.Thread(target=self._run, name=f"poll-{group}", daemon=True)

    def start(self) -> None:
        """Subscribe and begin polling."""
        self._thread.start()

    def want(self, records: int, wait_s: float) -> None:
        """How many records are worth taking at once, and how long the first of them may wait for the others.

        Records wait in librdkafka, where waiting costs nothing: each chunk that is handed over costs about as much as
        a hundred records in it. The wait counts from the first record's arrival, and ends POLL_S later at the latest.
        """
        self._wanted = records, min(wait_s, POLL_S)

    def stop(self, *, drain: bool = True) -> None:
        """Wait for begun work within the drain time, commit, leave the group; without `drain`, give it up."""
        self.holdings.close(drain=drain)
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(self._drain_s + 2 * COMMITTED_S)

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
            self.holdings.wait_idle(self._drain_s)
            self._commits.now(self.holdings.due(), last=True)
        except Exception as error:  # the thread's end is the worker's end: take() raises it
            self._fail(error)
        try:
            self._consumer.close()  # revokes, in order, what is still assigned
        except KafkaException as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if isinstance(error, KafkaException):
            error = weir_error(error_of(error), self._settings.brokers)
        self.holdings.fail(error)
        self._on_ready()

    def _poll_until_stopped(self) -> None:
        over_since: float | None = None
        next_commit = time.monotonic()
        limit = Amount(self._settings.inflight_max_records, self._settings.inflight_max_kbytes * 1024)
        while not self._stop.is_set():
            self._refusal.check(self._settings.brokers)
            self._follow_logs()
            if time.monotonic() >= next_commit:
                self._commits.soon(self.holdings.due())
                self._look_at_ends()
                next_commit = time.monotonic() + self._settings.commit_interval_s
            if self.holdings.backlog.within(limit):
                over_since = None
                self._pause(False)
                self.holdings.wait_for_room(HOLD_S, self._stop.is_set)
                self._poll()
                continue
            over_since = over_since or time.monotonic()
            if time.monotonic() - over_since > PAUSE_AFTER_S:
                self._pause(True)
                self._poll()  # serves rebalances; paused partitions give nothing
            else:
                self.holdings.wait_for_change(POLL_S)

    def _follow_logs(self) -> None:
        """Let the partitions go where a topic was made anew or is gone, and begin with the logs that are there."""
        logs = self._watch.look()
        if logs is not None:
            self._follow(logs)

    def _follow(self, logs: Logs) -> bool:
        """Whether these are other logs than those that are held; their partitions are held then."""
        if not self.holdings.joined or logs == self._logs:
            return False
        if self._from_beginning and (anew := sorted(topic for topic in logs if logs[topic] != self._logs.get(topic))):
            raise replaced(anew, self._settings.brokers)
        structlog.get_logger(__name__).warning("topics are other logs than before", logs=dict(logs))
        given = self._given
        self._lose(self.holdings.sources)
        self._assign(given)
        self._followed_s = time.monotonic()
        return True

    def _strayed(self, ids: Mapping[str, str]) -> bool:
        """Whether the records are of other logs than those that are held: librdkafka was faster than our looks."""
        read = {topic: of_id(ids[topic]) for topic in ids if topic in self._logs}
        self._watch.hear(read)
        return any(self._logs[topic] != log for topic, log in read.items())

    def _outlived(self, error: KafkaError) -> bool:
        """Whether an error is of a log that is no longer there; fetching then goes on where there is one."""
        if error.code() not in OF_A_LOG:
            return False
        if self._follow(self._watch.now()):
            return True
        if time.monotonic() - self._followed_s > OUTLIVED_S:
            return False
        self._fetch_again()
        return True

    def _look_at_ends(self) -> None:
        """What the last fetches said of the ends of the logs.

        Here, since any call to the consumer from another thread waits until this one has stopped polling, for ever.
        """
        self.holdings.see_ends({source: self._consumer.end(source) for source in self.holdings.sources})

    def _poll(self) -> None:
        """One poll: the first record wakes us, and whatever else is there when enough are comes with it."""
        generation, (enough, wait_s) = self.holdings.generation, self._wanted
        polled = self._consumer.poll(self._settings.chunk_max_records, POLL_S, enough, wait_s)
        for error in polled.errors:
            if not is_retriable(error) and not self._outlived(error):
                raise weir_error(error, self._settings.brokers)
        if self._strayed(polled.ids):
            self._follow(self._watch.now())
            self._fetch_again()
        elif self.holdings.generation != generation:
            self._fetch_again()
        elif self.holdings.add(polled):
            self._on_ready()

    def _fetch_again(self) -> None:
        """Partitions came or went while records were being handed over: which generation they are of cannot be told.

        They are dropped, and fetching starts once more where the holdings are.
        """
        self.paused = False
        if offsets := self.holdings.next_offsets():
            self._consumer.assign(offsets)

    def _pause(self, wanted: bool) -> None:
        if wanted == self.paused:
            return
        (self._consumer.pause if wanted else self._consumer.resume)(self.holdings.sources)
        self.paused = wanted

    def _assign(self, sources: set[Partition]) -> None:
        if self._stop.is_set():  # a client that leaves its group is not told where to begin, and would wait for it
            self._consumer.unassign()
            return
        self._given, self._logs = sources, self._watch.now()
        self._consumer.logs = self._logs
        start = self._starts({source for source in sources if source.topic in self._logs})
        self.paused = False
        self._commits.reset()
        self.holdings.assign(start, self._logs)
        self._consumer.assign(start)
        self._on_assigned(set(start))

    def _starts(self, sources: set[Partition]) -> dict[Partition, int]:
        """The committed offset of each partition, or the beginning of its log where there is none of this log."""
        start = {}
        committed = partial(self._consumer.committed, sources, COMMITTED_S)
        # The topics are there; a broker may hear of one that was made anew a moment later.
        for source, offset in retry(committed, COMMITTED_S, OF_A_LOG).items() if sources else ():
            begin, _ = retry(partial(self._consumer.bounds, source, COMMITTED_S), COMMITTED_S, OF_A_LOG)
            if offset is None or self._from_beginning:
                start[source] = begin
            elif offset < begin:  # one past the end is refused by the broker, when it is fetched
                raise removed(source, offset, begin, self._settings.brokers)
            else:
                start[source] = offset
        return start

    def _revoke(self, sources: set[Partition]) -> None:
        self.holdings.close_partitions(sources)
        self.holdings.wait_idle(self._drain_s, sources)
        self._commits.now(self.holdings.due())
        self._forget(sources)

    def _lose(self, sources: set[Partition]) -> None:
        """The group has moved on without us: nothing may be committed, and work in flight no longer counts."""
        self._forget(sources)

    def _forget(self, sources: set[Partition]) -> None:
        self._commits.reset()
        self.holdings.forget(sources)
        self._on_revoked(sources)
        self._consumer.unassign()
