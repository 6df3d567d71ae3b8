"""The chunk poller against a real broker: nothing lost, nothing committed too early, memory bounded."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import psutil
import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka import Producer as RdProducer
from confluent_kafka.admin import AdminClient
from weir.core.chunk import Chunk, Partition
from weir.core.errors import Refused, Unavailable
from weir.edges.embedded.stack import Stack
from weir.edges.kafka.admin import bounds, partitions_of
from weir.edges.kafka.client import client_config
from weir.edges.kafka.logs import log_of
from weir.edges.kafka.poller import COMMITTED_S, Poller
from weir.edges.kafka.producer import Producer
from weir.settings import Settings

from tests import new_topics
from tests.ports import free_port
from tests.waiting import START_S, WAIT_S, until

PARTITIONS = 4
Where = tuple[int, int]  # partition, offset


@pytest.fixture(scope="module")
def settings(stack: Stack) -> Settings:
    """A short session, since the embedded broker holds a group's first join for half of it; a busy machine keeps it."""
    return stack.settings.having(session_timeout_s=6.0, commit_interval_s=0.05, chunk_max_records=50)


@dataclass
class Log:
    """A topic of its own, and what has been written to it."""

    settings: Settings
    topic: str = field(default_factory=lambda: f"poller-{uuid4().hex[:8]}")
    ends: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(PARTITIONS), 0))

    def __post_init__(self) -> None:
        self._producer = Producer(self.settings.kafka, "tests")
        new_topics.make(AdminClient(client_config(self.settings.kafka, "tests")), self.topic, partitions=PARTITIONS)

    def write(self, records: int, value: bytes = b"x" * 20) -> None:
        """Spread records evenly over the partitions."""
        for partition in range(PARTITIONS):
            share = records // PARTITIONS
            self._producer.write(self.topic, partition, [value] * share)
            self.ends[partition] += share
        self._producer.flush()

    def commit(self, group: str, offsets: list[TopicPartition]) -> None:
        """As a tool does, without joining the group."""
        consumer = Consumer({**client_config(self.settings.kafka, "tests"), "group.id": group})

        def committed() -> bool:
            try:
                consumer.commit(offsets=offsets, asynchronous=False)
            except KafkaException as error:
                if not error.args[0].retriable():
                    raise
                return False
            return True

        try:
            until(committed, WAIT_S, "the group's coordinator")
        finally:
            consumer.close()

    def make_anew(self) -> None:
        """Delete it, and make it under the same name as soon as the broker lets us."""
        admin = AdminClient(client_config(self.settings.kafka, "tests"))
        new_topics.make_anew(admin, self.topic, partitions=PARTITIONS)
        self._producer = Producer(self.settings.kafka, "tests")
        self.ends = dict.fromkeys(range(PARTITIONS), 0)

    @property
    def offsets(self) -> set[Where]:
        return {(partition, offset) for partition, end in self.ends.items() for offset in range(end)}

    def committed(self, group: str) -> dict[int, int]:
        """Committed offset by partition; negative without one."""
        consumer = Consumer({**client_config(self.settings.kafka, "tests"), "group.id": group})
        try:
            asked = [TopicPartition(self.topic, partition) for partition in range(PARTITIONS)]
            return {found.partition: found.offset for found in consumer.committed(asked, WAIT_S)}
        finally:
            consumer.close()


class Member:
    """A poller and a worker thread that takes, begins and acknowledges.

    pace_s: time that each chunk takes. hold: chunks are begun and not acknowledged until `release` is called.
    going: while it is not set, the polling thread stands still once it has handed chunks over, as on a busy machine.
    """

    def __init__(
        self,
        settings: Settings,
        log: Log,
        group: str,
        *,
        pace_s: float = 0.0,
        hold: bool = False,
        drain_s: float = 10.0,
    ) -> None:
        self.begun: list[Chunk] = []
        self.acked: list[Chunk] = []
        self.refused: list[Chunk] = []
        self.failure: BaseException | None = None
        self.group, self._pace_s, self._hold = group, pace_s, hold
        self._ready, self._stop, self.going = threading.Event(), threading.Event(), threading.Event()
        self.going.set()
        self.poller = Poller(
            settings.kafka,
            group,
            [log.topic],
            on_ready=self._on_ready,
            on_assigned=lambda sources: None,
            on_revoked=lambda sources: None,
            drain_s=drain_s,
        )
        self._thread = threading.Thread(target=self._work)
        self.poller.start()
        self._thread.start()

    def _on_ready(self) -> None:
        self._ready.set()
        self.going.wait(WAIT_S)

    def _work(self) -> None:
        while not self._stop.is_set():
            self._ready.wait(0.05)
            self._ready.clear()
            try:
                chunks = self.poller.holdings.take()
            except (Unavailable, Refused) as error:
                self.failure = error
                return
            for chunk in chunks:
                if not self.poller.holdings.begin(chunk):
                    continue
                self.begun.append(chunk)
                self._stop.wait(self._pace_s)
                if not self._hold:
                    self.ack(chunk)

    def ack(self, chunk: Chunk) -> None:
        (self.acked if self.poller.holdings.ack(chunk) else self.refused).append(chunk)

    def release(self) -> None:
        """Acknowledge what was held, and hold no more."""
        self._hold = False
        for chunk in list(self.begun):
            self.ack(chunk)

    def close(self, *, drain: bool = True) -> None:
        """Leave the group, with or without finishing begun work."""
        self.going.set()
        self.poller.stop(drain=drain)
        self._stop.set()
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()

    @property
    def partitions(self) -> set[int]:
        return {source.partition for source in self.poller.holdings.sources}


@contextmanager
def closing(*members: Member) -> Iterator[None]:
    """Closes members whatever happens; closing one twice is harmless."""
    try:
        yield
    finally:
        for member in members:
            member.close(drain=False)


def rows(chunks: list[Chunk]) -> list[Where]:
    return [(chunk.source.partition, int(offset)) for chunk in chunks for offset in chunk.offsets]


def assert_tiled(chunks: list[Chunk]) -> None:
    """Each chunk begins where the one before it of its partition ended, and holds its offsets without a hole."""
    ends: dict[Partition, int] = {}
    for chunk in chunks:
        assert chunk.first == ends.get(chunk.source, chunk.first)
        assert chunk.offsets.tolist() == list(range(chunk.first, chunk.last + 1))
        ends[chunk.source] = chunk.last + 1


def new_group() -> str:
    return f"group-{uuid4().hex[:8]}"


def test_members_join_and_leave_under_load_and_nothing_is_lost_or_repeated(settings: Settings) -> None:
    log, group = Log(settings), new_group()
    log.write(400)
    first = Member(settings, log, group, pace_s=0.02)
    with closing(first):
        until(lambda: len(rows(first.acked)) >= 100, WAIT_S, "the first member's work")
        second = Member(settings, log, group, pace_s=0.02)

        def both_work() -> bool:
            log.write(200)  # a rebalance under load: there is always work in flight
            return len(first.partitions) == 2 and len(rows(second.acked)) > 100

        with closing(second):
            until(both_work, WAIT_S, "both members at work")
            log.write(2000)
            first.close()  # a clean hand-over, with most of the log unread
            until(lambda: set(rows(first.acked)) | set(rows(second.acked)) == log.offsets, WAIT_S, "every record")
            second.close()
    seen = Counter(rows(first.begun) + rows(second.begun))
    assert set(seen) == log.offsets
    assert max(seen.values()) == 1
    assert [first.refused, second.refused, first.failure, second.failure] == [[], [], None, None]
    assert log.committed(group) == log.ends


def test_a_burst_during_a_rebalance_is_neither_lost_nor_repeated(settings: Settings) -> None:
    """Large polls that end in the middle of a rebalance: records of a generation that is over are not handed out."""
    large = settings.having(chunk_max_records=4096)
    log, group = Log(settings), new_group()
    log.write(4000)
    first = Member(large, log, group)
    with closing(first):
        until(lambda: first.acked, WAIT_S, "the first member's work")
        second = Member(large, log, group)

        def both_work() -> bool:
            log.write(20_000)
            return bool(second.acked)

        with closing(second):
            until(both_work, WAIT_S, "both members at work")
            until(lambda: set(rows(first.acked)) | set(rows(second.acked)) >= log.offsets, WAIT_S, "every record")
    assert [first.failure, second.failure] == [None, None]
    seen = Counter(rows(first.begun) + rows(second.begun))
    assert set(seen) == log.offsets
    assert max(seen.values()) == 1


def test_more_members_than_partitions_leave_one_idle(settings: Settings) -> None:
    log, group = Log(settings), new_group()
    log.write(40)
    members = [Member(settings, log, group) for _ in range(PARTITIONS + 1)]
    with closing(*members):
        until(
            lambda: sorted(len(member.partitions) for member in members) == [0, 1, 1, 1, 1],
            WAIT_S,
            "one partition each",
        )
        until(
            lambda: {place for member in members for place in rows(member.acked)} == log.offsets, WAIT_S, "every record"
        )
        assert [member.failure for member in members] == [None] * len(members)


def test_after_a_kill_only_what_was_not_acknowledged_is_repeated(settings: Settings) -> None:
    log, group = Log(settings), new_group()
    log.write(800)
    first = Member(settings, log, group, hold=True)
    with closing(first):
        until(lambda: set(rows(first.begun)) == log.offsets, WAIT_S, "everything to be begun")
        in_order: dict[int, list[Chunk]] = {}
        for chunk in first.begun:
            in_order.setdefault(chunk.source.partition, []).append(chunk)
        prefix = [chunk for chunks in in_order.values() for chunk in chunks[:2]]
        beyond = [chunk for chunks in in_order.values() for chunk in chunks[3:]]  # the third stays in flight
        for chunk in prefix + beyond:
            first.ack(chunk)
        first.close(drain=False)
    second = Member(settings, log, group)
    with closing(second):
        until(lambda: set(rows(prefix)) | set(rows(second.acked)) == log.offsets, WAIT_S, "the rest")
    assert not set(rows(prefix)) & set(rows(second.begun))
    assert Counter(rows(second.begun)).most_common(1)[0][1] == 1


def test_a_commit_never_passes_work_in_flight(settings: Settings) -> None:
    log, group = Log(settings), new_group()
    log.write(1200)
    member = Member(settings, log, group, hold=True)
    with closing(member):
        until(lambda: set(rows(member.begun)) == log.offsets, WAIT_S, "everything to be begun")
        slow = {chunk.source.partition: chunk for chunk in reversed(member.begun)}  # the first of each
        held = [slow.pop(0), slow.pop(1)]
        for chunk in member.begun:
            if chunk not in held:
                member.ack(chunk)
        finished = {partition: log.ends[partition] for partition in slow}
        until(lambda: {p: log.committed(group)[p] for p in slow} == finished, WAIT_S, "commits of the other partitions")
        assert all(log.committed(group)[chunk.source.partition] <= chunk.first for chunk in held)
        for chunk in held:
            member.ack(chunk)
        until(lambda: log.committed(group) == log.ends, WAIT_S, "commits of everything")


def test_progress_is_told_while_the_poller_polls(settings: Settings) -> None:
    log, group = Log(settings), new_group()
    log.write(1200)
    member = Member(settings, log, group, hold=True)
    with closing(member):
        until(lambda: set(rows(member.begun)) == log.offsets, WAIT_S, "everything to be begun")
        until(
            lambda: [seen.highwater for seen in member.poller.holdings.progress().values()] == [300] * 4,
            WAIT_S,
            "the ends",
        )
        progress = member.poller.holdings.progress().values()
        assert [(seen.position, seen.fetched) for seen in progress] == [(0, 300)] * PARTITIONS
        assert all(abs(time.time() - (seen.oldest_ms or 0) / 1000) < 60 for seen in progress)
        member.release()
        progress = member.poller.holdings.progress().values()
        assert [(seen.position, seen.oldest_ms) for seen in progress] == [(300, None)] * PARTITIONS


def test_a_drain_lets_nothing_more_begin_and_waits_for_what_has_begun(settings: Settings) -> None:
    log, group = Log(settings), new_group()
    log.write(400)
    member = Member(settings, log, group, hold=True)
    with closing(member):
        until(lambda: set(rows(member.begun)) == log.offsets, WAIT_S, "everything to be begun")
        assert not member.poller.holdings.quiesce(0.05)
        log.write(40)
        until(lambda: member.poller.holdings.backlog.records == 440, WAIT_S, "more records")
        member.release()
        assert member.poller.holdings.quiesce(5.0)
        member.close()
    assert len(rows(member.begun)) == 400
    assert log.committed(group) == dict.fromkeys(range(PARTITIONS), 100)


def test_partitions_that_come_while_a_member_leaves_are_let_go_at_once(settings: Settings) -> None:
    """Another member left just before, so that the group deals out anew; nobody answers what a leaving client asks."""
    told: list[set[Partition]] = []
    poller = Poller(
        settings.having(brokers=f"127.0.0.1:{free_port()}").kafka,
        new_group(),
        ["any"],
        on_ready=lambda: None,
        on_assigned=told.append,
        on_revoked=told.append,
        drain_s=1.0,
    )
    poller.stop()
    began = time.monotonic()
    poller._assign({Partition("any", 0)})
    assert time.monotonic() - began < COMMITTED_S
    assert not told
    assert not poller.holdings.sources


def test_memory_is_bounded_however_far_behind_the_consumer_is(settings: Settings) -> None:
    bounded = settings.having(chunk_max_records=4096, inflight_max_records=20_000)
    log, group = Log(settings), new_group()
    log.write(300_000, b"x" * 200)
    process = psutil.Process(os.getpid())
    limit = bounded.kafka.inflight_max_records + bounded.kafka.chunk_max_records
    member = Member(bounded, log, group, hold=True)
    with closing(member):
        backlogs: list[int] = []

        def watch(condition: Callable[[], bool]) -> bool:
            backlogs.append(member.poller.holdings.backlog.records)
            return condition()

        until(lambda: watch(lambda: member.poller.paused), WAIT_S, "the poller to stop fetching")
        full, since = process.memory_info().rss, time.monotonic()
        until(lambda: watch(lambda: time.monotonic() - since > 1.0), WAIT_S, "a second of a full poller")
        assert process.memory_info().rss - full < 16 * 2**20
        assert bounded.kafka.inflight_max_records <= max(backlogs) < limit
        member.release()  # what the pause threw away is fetched again
        until(lambda: len(rows(member.acked)) >= 300_000, START_S, "the whole backlog")
    assert_tiled(member.begun)
    assert Counter(rows(member.begun)) == Counter(log.offsets)


def test_large_records_are_bounded_by_their_bytes(settings: Settings) -> None:
    bounded = settings.having(inflight_max_kbytes=1024, fetch_queue_kbytes=1024)
    log, group = Log(settings), new_group()
    log.write(400, b"x" * 50_000)
    member = Member(bounded, log, group, hold=True)
    with closing(member):
        until(lambda: member.poller.holdings.backlog.octets >= 1024 * 1024, WAIT_S, "the limit")
        member.release()
        until(lambda: set(rows(member.acked)) == log.offsets, WAIT_S, "the whole backlog")
        assert max(chunk.values.nbytes for chunk in member.begun) <= 51 * 50_000


def test_records_removed_before_they_were_read_are_not_passed_over(settings: Settings) -> None:
    if settings.embedded.embedded_broker != "kafka":
        pytest.skip("the embedded broker removes no records")
    log, group = Log(settings), new_group()
    log.write(400)
    log.commit(group, [TopicPartition(log.topic, 0, 10)])
    removed = TopicPartition(log.topic, 0, 54)
    admin = AdminClient(client_config(settings.kafka, "tests"))
    admin.delete_records([removed])[removed].result(WAIT_S)
    member = Member(settings, log, group)
    with closing(member):
        failure = until(lambda: member.poller.holdings.failure, WAIT_S, "the poller's end")
    assert isinstance(failure, Refused)
    assert "0: 44 unread records were removed (committed 10, the log begins at 54)" in str(failure)


@contextmanager
def all_read(settings: Settings) -> Iterator[tuple[Log, Member, str]]:
    """A topic of 400 records, a member that has read them, and which log that is."""
    if settings.embedded.embedded_broker != "kafka":
        pytest.skip("librdkafka does not outlive a topic made anew on the embedded broker")
    log, group = Log(settings), new_group()
    log.write(400)
    member = Member(settings, log, group)
    with closing(member):
        until(lambda: set(rows(member.acked)) == log.offsets, WAIT_S, "the records of the first log")
        yield log, member, log_of(settings.kafka, log.topic)


def test_a_topic_made_anew_is_another_log_and_read_from_its_beginning(settings: Settings) -> None:
    """At once, with more records than were read before: a consumer would go on in the middle of the new log."""
    with all_read(settings) as (log, member, before):
        log.make_anew()
        log.write(1200)
        after = log_of(settings.kafka, log.topic)
        until(lambda: set(rows(of(after, member.acked))) == log.offsets, WAIT_S, "the records of the second log")
        until(lambda: log.committed(member.group) == log.ends, WAIT_S, "the commits of the second log")
    assert before != after
    assert {chunk.log for chunk in member.begun} == {before, after}
    assert Counter(rows(of(before, member.begun))) == Counter(
        (partition, offset) for partition in range(PARTITIONS) for offset in range(100)
    )
    assert_tiled(of(after, member.begun))


def test_a_poller_that_stood_still_tells_records_of_a_topic_made_anew_from_those_before(settings: Settings) -> None:
    """librdkafka fetches on in the new log, from the old offset and without a word, long before anybody looks."""
    with all_read(settings) as (log, member, before):
        member.going.clear()
        log.write(4)
        until(
            lambda: set(rows(member.acked)) & {(p, 100) for p in range(PARTITIONS)}, WAIT_S, "the poller to stand still"
        )
        member.poller._consumer.pause(member.poller.holdings.sources)  # it would come too early, and find an offset
        log.make_anew()  # beyond the end, which is an error that is seen
        log.write(1200)
        member.poller._consumer.resume(member.poller.holdings.sources)
        source = Partition(log.topic, 0)
        until(lambda: member.poller._consumer.end(source) == 300, WAIT_S, "records of the second log in librdkafka")
        member.going.set()
        after = log_of(settings.kafka, log.topic)
        until(lambda: set(rows(of(after, member.acked))) == log.offsets, WAIT_S, "the records of the second log")
    assert {offset for _, offset in rows(of(before, member.begun))} == set(range(101))
    assert_tiled(of(after, member.begun))


def of(log: str, chunks: list[Chunk]) -> list[Chunk]:
    return [chunk for chunk in chunks if chunk.log == log]


def test_an_offset_that_was_committed_for_an_earlier_log_is_not_taken(settings: Settings) -> None:
    """A commit that was on its way when the topic was made anew, or offsets that came along from another cluster."""
    if settings.embedded.embedded_broker != "kafka":
        pytest.skip("the embedded broker keeps no notes beside offsets")
    log, group = Log(settings), new_group()
    log.write(400)
    noted = {0: "another-log", 1: log_of(settings.kafka, log.topic), 2: ""}
    log.commit(group, [TopicPartition(log.topic, partition, 30, note) for partition, note in noted.items()])
    member = Member(settings, log, group)
    with closing(member):
        wanted = {(partition, offset) for partition, offset in log.offsets if partition in (0, 3) or offset >= 30}

        until(lambda: set(rows(member.acked)) == wanted, WAIT_S, "what was not committed for this log")


def test_offsets_without_a_record_are_passed_and_committed(settings: Settings) -> None:
    """Of a transactional producer's log: markers and aborted records are in no chunk's records, and in some chunk."""
    if settings.embedded.embedded_broker != "kafka":
        pytest.skip("the embedded broker tells nobody which records were aborted")
    log, group = Log(settings), new_group()
    member = Member(settings, log, group)
    with closing(member):
        transact = transactions(log)
        wanted: set[Where] = set()
        for count, commit in ((10, True), (7, False), (1, True), (1, True), (3, False)):
            first = log_end(log)
            transact(count, commit)
            wanted |= {(0, first + i) for i in range(count) if commit}
            end = first + count + 1
            until(lambda end=end: log_end(log) == end, WAIT_S, "the marker")
            until(lambda end=end: log.committed(group)[0] == end, WAIT_S, "the commit of the marker")
            until(lambda wanted=wanted: set(rows(member.acked)) == wanted, WAIT_S, "the records")
        assert Counter(rows(member.begun)) == Counter(wanted)
    ends = 0
    for chunk in member.begun:
        assert (chunk.source.partition, chunk.first) == (0, ends)
        ends = chunk.last + 1
    assert ends == end


def test_the_log_ends_before_an_open_transaction(settings: Settings) -> None:
    if settings.embedded.embedded_broker != "kafka":
        pytest.skip("the embedded broker shows open transactions")
    log = Log(settings)
    end = transactions(log, open_with=2)
    log.write(40)
    assert bounds(settings.kafka, log.topic) == {
        Partition(log.topic, partition): (0, 10 if partition else 0) for partition in range(PARTITIONS)
    }
    end(0, True)
    until(lambda: log_end(log) == 2 + 10 + 1, WAIT_S, "the end of the transaction")


def log_end(log: Log) -> int:
    """Of the log's first partition; a transaction that was committed or aborted gets its marker a moment later."""
    return bounds(log.settings.kafka, log.topic)[Partition(log.topic, 0)][1]


def transactions(log: Log, *, open_with: int = 0) -> Callable[[int, bool], None]:
    """Writes records to partition 0, and commits or aborts. open_with: records of a first one that has not ended."""
    producer = RdProducer(client_config(log.settings.kafka, "tests") | {"transactional.id": log.topic})
    producer.init_transactions(WAIT_S)
    began = False

    def write(count: int) -> None:
        for _ in range(count):
            producer.produce(log.topic, b"x", partition=0)
        assert producer.flush(WAIT_S) == 0

    def transact(count: int, commit: bool) -> None:
        nonlocal began
        if not began:
            producer.begin_transaction()
        write(count)
        (producer.commit_transaction if commit else producer.abort_transaction)(WAIT_S)
        began = False

    if open_with:
        producer.begin_transaction()
        began = True
        write(open_with)
    return transact


def test_a_record_was_not_written_after_it_was_read(settings: Settings) -> None:
    """Producers stamp records as they like; the recorder must not go by a time that is to come."""
    log, group = Log(settings), new_group()
    producer = RdProducer(client_config(settings.kafka, "tests"))
    ahead_ms = int(time.time() * 1000) + 3_000_000
    for partition, stamp_ms in enumerate((ahead_ms, 1, ahead_ms)):
        producer.produce(log.topic, b"x", partition=partition, timestamp=stamp_ms)
    assert producer.flush(WAIT_S) == 0
    member = Member(settings, log, group)
    with closing(member):
        until(lambda: len(rows(member.acked)) == 3, WAIT_S, "three records")
    times = {chunk.source.partition: (chunk.oldest_ms, chunk.newest_ms) for chunk in member.begun}
    assert times[1] == (1, 1)
    assert all(ahead_ms - 3_000_000 <= time_ms < ahead_ms for part in (0, 2) for time_ms in times[part])


def test_bounds_are_those_of_the_log(settings: Settings) -> None:
    """The embedded broker answers ListOffsets with the base of the last batch; only a fetch tells the end."""
    log = Log(settings)
    assert set(bounds(settings.kafka, log.topic).values()) == {(0, 0)}
    for records in (400, 4, 1200):
        log.write(records)
        found = bounds(settings.kafka, log.topic)
        assert {source.partition: end for source, (_, end) in found.items()} == log.ends
        assert {begin for begin, _ in found.values()} == {0}


def test_a_missing_topic_and_an_unreachable_broker_are_named(settings: Settings) -> None:
    with pytest.raises(Refused, match=r"topic weir\.nowhere does not exist .*: run `weir topics create`"):
        partitions_of(settings.kafka, "weir.nowhere")
    nobody = settings.having(brokers=f"127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable, match=rf"Kafka does not answer \({nobody.kafka.brokers}\): start the broker"):
        partitions_of(nobody.kafka, "weir.nowhere", timeout_s=1.0)
