"""The tracker of acknowledged chunks, held to a model that knows every offset."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from weir.core.offset_tracker import OffsetTracker


class BookAgainstOffsets(RuleBasedStateMachine):
    """The model: one set of offsets read, one of offsets acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self.start = 1000
        self.tracker = OffsetTracker(self.start)
        self.end = self.start
        self.open: list[tuple[int, int]] = []
        self.acknowledged: set[int] = set()

    @rule(length=st.integers(1, 5))
    def opens(self, length: int) -> None:
        chunk = (self.end, self.end + length - 1)
        self.tracker.open(*chunk)
        self.open.append(chunk)
        self.end += length

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def acknowledges(self, data: st.DataObject) -> None:
        chunk = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        self.tracker.ack(*chunk)
        self.acknowledged.update(range(chunk[0], chunk[1] + 1))

    @rule(first=st.integers(990, 1100), last=st.integers(990, 1100))
    def refuses_what_is_not_open(self, first: int, last: int) -> None:
        if (first, last) not in self.open:
            with pytest.raises(ValueError, match="is not open"):
                self.tracker.ack(first, last)

    @rule(first=st.integers(990, 1100), length=st.integers(0, 5))
    def refuses_what_does_not_follow(self, first: int, length: int) -> None:
        if first != self.end or length == 0:
            with pytest.raises(ValueError, match="does not begin at"):
                self.tracker.open(first, first + length - 1)

    @invariant()
    def commits_exactly_the_longest_acknowledged_prefix(self) -> None:
        prefix = self.start
        while prefix in self.acknowledged:
            prefix += 1
        assert (self.tracker.committable or self.start) == prefix

    @invariant()
    def never_passes_work_in_flight(self) -> None:
        for first, _ in self.open:
            assert self.tracker.committable is None or self.tracker.committable <= first

    @invariant()
    def is_empty_only_when_all_is_acknowledged(self) -> None:
        assert (len(self.tracker) == 0) == (not self.open)


TestBook = BookAgainstOffsets.TestCase
TestBook.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(lengths=st.lists(st.integers(1, 50), min_size=1, max_size=40), seed=st.randoms(use_true_random=False))
def test_any_order_of_acknowledgement_ends_at_the_last_offset(lengths: list[int], seed) -> None:
    tracker, chunks, end = OffsetTracker(), [], 7
    for length in lengths:
        chunks.append((end, end + length - 1))
        tracker.open(*chunks[-1])
        end += length
    seen = []
    for chunk in seed.sample(chunks, len(chunks)):
        tracker.ack(*chunk)
        seen.append(tracker.committable or 0)
    assert seen == sorted(seen)
    assert tracker.committable == end
    assert len(tracker) == 0


def test_a_chunk_lost_between_two_others_cannot_be_passed() -> None:
    tracker = OffsetTracker(0)
    tracker.open(0, 9)
    with pytest.raises(ValueError, match=r"\[20, 29\] does not begin at 10"):
        tracker.open(20, 29)
    tracker.ack(0, 9)
    assert tracker.committable == 10


def test_the_first_chunk_must_begin_where_the_partition_was_assigned() -> None:
    with pytest.raises(ValueError, match="does not begin at 5"):
        OffsetTracker(5).open(6, 9)


def test_a_second_acknowledgement_is_an_error() -> None:
    tracker = OffsetTracker(0)
    tracker.open(0, 9)
    tracker.open(10, 19)
    tracker.ack(10, 19)
    with pytest.raises(ValueError, match="is not open"):
        tracker.ack(10, 19)
