"""Recording is exactly once: whatever repeats, wherever it dies, however the log is cut into chunks."""

import contextlib
import dataclasses
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from weir.core.chunk import Partition
from weir.core.errors import Refused, Unavailable
from weir.recording import histograms

from tests.doubles import recording, records
from tests.doubles.blocks import Killed, MemoryBlocks, Mortal
from tests.doubles.recording import PREDICTIONS, Group

N = 60


def log_of(offsets, partition=0):
    """Bytes of a predictions log that holds these source offsets in this order."""
    return records.encode("predictions", records.predictions(partition, offsets))


LOG = log_of(list(range(N)))
WHOLE = tuple(LOG)
ANSWERS = Counter(offset // 10 for offset in range(N))  # of each batch


def blocks_of(store):
    return store.blocks[records.place(PREDICTIONS)].values()


def run(store, log, bounds, group, max_rows=10, name=""):
    """One life of a recorder: from the committed offset to the end of the log. name: which log it is."""
    recorder = recording.recorder(store, max_rows)
    bounds = sorted({group.committed, *(bound for bound in bounds if bound > group.committed), len(log)})
    group.restart()
    for number, chunk in enumerate(recording.records.cut(PREDICTIONS, log, bounds, log=name)):
        group.tracker.open(chunk.first, chunk.last)
        recorder.take(chunk)
        if number % 2:
            group.acknowledge(recorder.flush().done)
    group.acknowledge(recorder.flush().done)
    return recorder


@cache
def truth(log):
    """Histograms of a log as if it were one block."""
    rows = recording.streams()["weir.predictions"].decode(pa.array(log, pa.large_binary())).rows
    return recording.counted([histograms.of(rows, records.place(PREDICTIONS), 0, records.names)])


def counted(store):
    return recording.counted(store.tables["histogram_blocks"])


def answered(store):
    """Answers by batch, as they were counted."""
    rows = zip(store.column("batch_answers", "batch_id"), store.column("batch_answers", "answers"), strict=True)
    return sum((Counter({batch: answers}) for batch, answers in rows), Counter())


def steps_of(log, bounds):
    counting = Mortal(MemoryBlocks())
    run(counting, log, bounds, Group())
    return counting.steps


BOUNDS = [0, 7, 19, 20, 33, 48]


@pytest.mark.parametrize("dies_at", range(steps_of(LOG, BOUNDS)))
def test_a_crash_at_every_step_loses_and_repeats_nothing(dies_at):
    store, group = MemoryBlocks(), Group()
    with pytest.raises(Killed):
        run(Mortal(store, dies_at), LOG, BOUNDS, group)
    run(store, LOG, [0, 11, 30, 31], group)  # the log is cut otherwise the second time
    assert store.column("predictions", "source_offset") == list(range(N))
    assert counted(store) == truth(WHOLE)
    assert answered(store) == ANSWERS
    assert group.committed == N


@given(
    crashes=st.lists(
        st.tuples(st.integers(0, 40), st.sets(st.integers(1, N - 1), max_size=8), st.integers(1, 30), st.booleans()),
        max_size=6,
    ),
    replays=st.lists(st.tuples(st.integers(0, N - 1), st.integers(0, N)), max_size=4),
)
@settings(max_examples=150, deadline=None)
def test_replaying_scorers_and_crashing_recorders_together(crashes, replays):
    """The scorer wrote 0..N and some stretches again; the recorder dies over and over, at times losing its commits."""
    sources, end = [], 0
    for begin, upto in sorted(replays, key=lambda span: span[1]):  # a scorer died at `upto`; the next began at `begin`
        sources += range(min(begin, end), upto)
        end = max(end, upto)
    sources += range(end, N)
    log = log_of(sources)
    store, group = MemoryBlocks(), Group()
    for dies_at, bounds, max_rows, forgets in crashes:
        committed = group.committed
        with contextlib.suppress(Killed):
            run(Mortal(store, dies_at), log, [0, *bounds], group, max_rows)
        if forgets:
            group.committed = committed  # acknowledged, but the process died before the commit
    run(store, log, [0], group)
    assert sorted(store.column("predictions", "source_offset")) == list(range(N))
    assert counted(store) == truth(WHOLE)
    assert answered(store) == ANSWERS


class Meddled(Mortal):
    """Before chosen steps of one recorder, the other one writes all it has."""

    def __init__(self, store, at):
        super().__init__(store)
        self.at, self.other = at, lambda: None

    def _step(self):
        super()._step()
        if self.steps in self.at:
            self.other()


CUTS = st.sets(st.integers(1, N - 1), max_size=6)


@given(
    cuts=st.tuples(CUTS, CUTS),
    at=st.sets(st.integers(1, 40), max_size=12),
    max_rows=st.integers(1, 40),
    turns=st.lists(st.tuples(st.integers(0, 1), st.booleans()), max_size=20),
)
@settings(max_examples=200, deadline=None)
def test_two_recorders_of_one_partition_write_one_sequence_of_blocks(cuts, at, max_rows, turns):
    """A zombie that has not heard of the rebalance goes on beside the new owner; their calls interleave."""
    store = MemoryBlocks()
    meddled = Meddled(store, at)
    both = [recording.recorder(meddled, max_rows), recording.recorder(store, max_rows)]
    waiting = [recording.records.cut(PREDICTIONS, LOG, sorted({0, N, *bounds})) for bounds in cuts]
    done = [0, 0]

    def flush(who):
        done[who] += sum(len(chunk) for chunk in both[who].flush().done)

    meddled.other = lambda: flush(1)
    everything = [(who, True) for who in (0, 1) for _ in waiting[who]]
    for who, flushes in [*turns, *everything, (0, True), (1, True)]:
        if waiting[who]:
            both[who].take(waiting[who].pop(0))
        if flushes:
            flush(who)
    assert store.column("predictions", "source_offset") == list(range(N))
    assert counted(store) == truth(WHOLE)
    assert done == [N, N]


class Interleaving(MemoryBlocks):
    """Another recorder writes a whole block between this one's look and its announcement."""

    def __init__(self, other):
        super().__init__()
        self.other = other

    def announce(self, block):
        if self.other:
            other, self.other = self.other, None
            other(self)
        return super().announce(block)


def test_who_loses_the_announcement_writes_the_winners_block():
    def zombie(store):
        rival = recording.recorder(Mortal(store, dies_at=6))  # announced, not inserted
        (chunk,) = recording.records.cut(PREDICTIONS, LOG[:50], [0, 50])
        rival.take(chunk)
        with pytest.raises(Killed):
            rival.flush()

    store = Interleaving(zombie)
    recorder = recording.recorder(store)
    first, second = recording.records.cut(PREDICTIONS, LOG, [0, 30, N])
    recorder.take(first)
    assert recorder.flush().done == []  # the winner announced 0..49; 30..49 are not here
    recorder.take(second)
    assert recorder.flush().done == [first, second]
    assert store.column("predictions", "source_offset") == list(range(N))
    assert [(block.first, block.last) for block in blocks_of(store)] == [
        (0, 49),
        (50, 59),
    ]


def test_records_that_do_not_decode_become_dead_letters_with_their_bytes():
    log = [*LOG[:3], b"", LOG[3][:-2], *LOG[4:6]]
    store, group = MemoryBlocks(), Group()
    for dies_at in (7, 9, None):
        with contextlib.suppress(Killed):
            run(Mortal(store, dies_at), log, [0, 4], group, max_rows=100)
    assert store.column("predictions", "source_offset") == [0, 1, 2, 4, 5]
    assert store.column("dead_letters", "source_offset") == [3, 4]
    assert store.column("dead_letters", "source_topic") == ["weir.predictions"] * 2
    assert store.column("dead_letters", "reason") == ["empty", "undecodable"]
    assert store.column("dead_letters", "value") == [b"", LOG[3][:-2]]


def test_a_topic_made_anew_is_recorded_from_its_beginning_and_answers_of_the_old_one_count():
    """weir.predictions anew: the scorer repeats the last of its answers there, and goes on; none is there twice."""
    store, group = MemoryBlocks(), Group()
    run(store, LOG, [0], group)
    group.committed = 0
    run(store, log_of(list(range(N - 7, 100))), [0, 3], group, name="another")
    assert store.column("predictions", "source_offset") == list(range(100))
    assert set(store.column("predictions", "log_id")) == {records.log_of("weir.predictions"), "another"}


def test_requests_of_a_topic_made_anew_are_no_repeats_of_the_old_ones():
    """weir.requests anew: its offsets begin at 0, as did those of the log before it."""
    store, group = MemoryBlocks(), Group()
    anew = records.encode("predictions", records.predictions(0, list(range(90)), log="log-of-requests-made-anew"))
    run(store, [*LOG, *anew], [0, 31, 77], group)
    assert store.column("predictions", "source_offset") == [*range(N), *range(90)]
    ids = store.column("predictions", "prediction_id")
    assert len(set(ids)) == N + 90


def test_two_variants_that_answer_one_request_are_one_answer_and_shadows_stand_beside_it():
    store = MemoryBlocks()
    recorder = recording.recorder(store)
    first = records.encode("predictions", records.predictions(0, list(range(10))))
    second = records.encode("predictions", records.predictions(0, list(range(5, 15)), "challenger"))
    beside = [records.encode("shadows", records.shadows(0, list(range(15)), name)) for name in ("wider", "older")]
    for topic, log in (("weir.predictions", [*first, *second]), ("weir.shadows", [*beside[0], *beside[1], *beside[0]])):
        recorder.take(records.cut(Partition(topic, 0), log, [0, len(log)])[0])
    recorder.flush()
    assert store.column("predictions", "source_offset") == list(range(15))
    assert store.column("predictions", "variant") == ["champion"] * 10 + ["challenger"] * 5
    assert store.column("shadows", "source_offset") == [*range(15), *range(15)]
    assert set(store.column("shadows", "prediction_id")) == set(store.column("predictions", "prediction_id"))


def test_a_log_that_lost_records_is_refused_rather_than_taken_for_the_old_one():
    store, group = MemoryBlocks(), Group()
    run(store, LOG, [0], group)
    group.committed = 0
    with pytest.raises(Refused, match="no longer hold what was announced"):
        run(store, log_of(list(range(100, 100 + N))), [0], group)


def test_a_bundle_that_nobody_has_described_holds_nothing_up():
    rows = [records.predictions(0, [0]), records.predictions(0, [1], digest="ffffffffffff")]
    store = MemoryBlocks()
    recorder = recording.recorder(store)
    (chunk,) = records.cut(PREDICTIONS, records.encode("predictions", pa.concat_batches(rows)), [0, 2])
    recorder.take(chunk)
    assert recorder.flush().done == [chunk]
    assert [len(packed) for packed in store.column("predictions", "packed")] == [0, 7]


class Learning:
    """Names that are known at some calls and not at others."""

    def __init__(self, known):
        self.known = known

    def of(self, digests):
        return records.names.of(digests) if self.known else {}

    def lack(self, rows):
        pass


@pytest.mark.parametrize("dies_at", range(2, 13))
def test_a_block_that_was_announced_without_names_is_repeated_without_them(dies_at):
    """So that whoever names its rows later, and counts them, is the first to do so."""
    store = MemoryBlocks()
    for known, dies in ((False, dies_at), (True, None)):
        recorder = recording.recorder(Mortal(store, dies), names=Learning(known))
        with contextlib.suppress(Killed):
            for chunk in records.cut(PREDICTIONS, LOG, [0, N]):
                recorder.take(chunk)
            recorder.flush()
    packed = {bool(bytes_) for bytes_ in store.column("predictions", "packed")}
    announced = dies_at > 4  # steps of each call: before it, and after it
    assert packed == {announced}
    assert (counted(store) if "histogram_blocks" in store.tables else {}) == ({} if announced else truth(WHOLE))


def test_names_that_were_known_when_a_block_was_announced_are_waited_for():
    store = MemoryBlocks()
    (chunk,) = records.cut(PREDICTIONS, LOG, [0, N])
    for known, dies, error in ((True, 6, Killed), (False, None, Unavailable)):
        recorder = recording.recorder(Mortal(store, dies), names=Learning(known))
        recorder.take(chunk)
        with pytest.raises(error):
            recorder.flush()
    recorder = recording.recorder(store)
    recorder.take(chunk)
    recorder.flush()
    assert counted(store) == truth(WHOLE)


def test_offsets_that_the_log_lost_are_told():
    store, group = MemoryBlocks(), Group()
    run(store, LOG[:20], [0], group)
    group.committed = 40  # retention took 20..39 while nobody recorded
    recorder = recording.recorder(store)
    for chunk in records.cut(PREDICTIONS, LOG, [40, 60]):
        recorder.take(chunk)
    flushed = recorder.flush()
    assert flushed.skipped == [(records.place(PREDICTIONS), 20, 39)]
    assert store.column("predictions", "source_offset") == [*range(20), *range(40, 60)]


def test_a_partition_that_went_away_and_came_back_starts_from_the_store():
    store = MemoryBlocks()
    recorder = recording.recorder(store)
    first, second, third = records.cut(PREDICTIONS, LOG, [0, 20, 40, 60])
    recorder.take(first)
    other = recording.recorder(store)
    for chunk in (first, second):
        other.take(chunk)
    other.flush()
    recorder.take(third)  # committed elsewhere up to 40
    assert recorder.flush().done == [third]
    assert store.column("predictions", "source_offset") == list(range(N))


def test_a_flush_of_many_records_writes_several_blocks_and_many_partitions_at_a_time():
    store = MemoryBlocks()
    recorder = recording.recorder(store, max_rows=25)
    other = Partition("weir.predictions", 1)
    for chunk in [*records.cut(PREDICTIONS, LOG, [0, 20, 40, 60]), *records.cut(other, log_of([*range(9)], 1), [0, 9])]:
        recorder.take(chunk)
    with ThreadPoolExecutor(2) as pool:
        flushed = recorder.flush(pool.map)
    assert [(block.first, block.last) for block in blocks_of(store)] == [
        (0, 39),
        (40, 59),
    ]
    assert [block.rows for block in flushed.blocks] == [40, 20, 9]


def test_a_new_deal_of_partitions_starts_from_what_was_committed():
    store = MemoryBlocks()
    recorder = recording.recorder(store)
    first, second = records.cut(PREDICTIONS, LOG, [0, 40, 60])
    recorder.take(first)
    again = [dataclasses.replace(chunk, generation=1) for chunk in (first, second)]
    for chunk in again:
        recorder.take(chunk)
    assert recorder.flush().done == again
    assert store.column("predictions", "source_offset") == list(range(N))


def test_other_topics_of_the_recorder():
    store = MemoryBlocks()
    recorder = recording.recorder(store)
    ids = [records.prediction_id(0, offset) for offset in range(3)]
    outcomes = records.encode(
        "outcomes", records.outcomes([*ids, "nonsense", ids[0]], [0.0, 1.0, 1.0, 0.0, float("inf")])
    )
    letters = records.encode("dead_letters", records.dead_letters(0, [4, 9, 9, 11]))
    entries = records.encode("ledger", records.ledger(0, [(0, 9), (10, 19), (10, 19)]))
    batches = records.encode("batches", records.batches(0, [(0, 9), (10, 19), (10, 19)]))
    logs = {"weir.outcomes": outcomes, "weir.dead-letters": letters, "weir.ledger": entries, "weir.batches": batches}
    logs |= {
        f"weir.{record.replace('_', '-')}": records.encode(record, records.said(record))
        for record in ("measurements", "alerts", "alert_notes", "actions")
    }
    for topic, log in logs.items():
        recorder.take(records.cut(Partition(topic, 0), log, [0, len(log)])[0])
    flushed = recorder.flush()
    assert {block.table: (block.rows, block.repeats, block.rejected) for block in flushed.blocks} == {
        "outcomes": (3, 0, 2),
        "dead_letters": (3, 1, 0),
        "ledger": (3, 0, 0),
        "batches": (3, 0, 0),
        **dict.fromkeys(("measurements", "alerts", "alert_notes", "actions"), (3, 0, 0)),
    }
    assert store.column("batches", "ranges")[1] == [{"partition": 0, "first": 10, "last": 19}]
    assert store.column("batches", "contract_ids")[1] == [7]
    assert store.column("outcomes", "label") == ["0", "1", "1"]
    assert store.column("dead_letters", "detail")[:2] == ["prediction_id is not a UUIDv7", "observed is not a number"]
    assert np.all(np.array(store.column("ledger", "log_offset")) == [0, 1, 2])


def test_a_block_that_is_repeated_has_the_time_that_was_announced_however_the_log_is_cut():
    """Two crashes, and every life cuts the log otherwise."""
    source = Partition("weir.outcomes", 0)
    ids = [records.prediction_id(0, offset) for offset in range(26)]
    log = records.encode("outcomes", records.outcomes(ids, [0.0] * 26))
    store = MemoryBlocks()
    for bounds, dies_at in (([0, 16], 4), ([0, 26], 6), ([0, 21, 26], None)):  # after announcing block 1; block 2
        recorder = recording.recorder(Mortal(store, dies_at))
        with contextlib.suppress(Killed):
            for chunk in records.cut(source, log, bounds):
                recorder.take(chunk)
                recorder.flush()
    offsets, times = store.column("outcomes", "log_offset"), store.column("outcomes", "received_at")
    assert offsets == list(range(26))
    assert len(set(times)) == 2, "one of each block"
