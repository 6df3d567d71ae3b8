"""When a stream is broken rather than a record."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from weir.core.limit import DeadLetterLimit


def run(limit: DeadLetterLimit, *batches: tuple[int, int]) -> list[bool]:
    return [limit.add(*batch) for batch in batches]


def test_a_few_bad_records_never_stop_a_quiet_service():
    assert not any(run(DeadLetterLimit(0.05, 10_000), *[(1, 1)] * 500))


def test_a_stream_that_is_broken_from_its_start_stops_within_the_share_of_a_window():
    verdicts = run(DeadLetterLimit(0.05, 10_000), *[(100, 100)] * 10)
    assert verdicts.index(True) == 5  # 600 of at least 10,000


def test_exactly_the_limit_is_still_accepted():
    assert run(DeadLetterLimit(0.5, 10), (10, 5), (10, 5)) == [False, False]


def test_old_batches_leave_the_window():
    limit = DeadLetterLimit(0.05, 1000)
    assert not any(run(limit, (500, 50), *[(500, 0)] * 4))
    assert limit.share == 0.0
    assert not limit.add(500, 50)
    assert limit.add(500, 1)


def test_a_share_of_zero_stops_at_the_first_and_of_one_never():
    assert run(DeadLetterLimit(0.0, 10), (1, 0), (1, 1)) == [False, True]
    assert not any(run(DeadLetterLimit(1.0, 10), *[(100, 100)] * 5))


@given(
    batches=st.lists(st.integers(1, 50).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), max_size=60),
    share=st.sampled_from([0.0, 0.05, 0.5]),
    window=st.integers(1, 200),
)
def test_the_share_is_that_of_the_fewest_last_batches_that_fill_the_window(batches, share, window):
    limit = DeadLetterLimit(share, window)
    for end in range(1, len(batches) + 1):
        passed = limit.add(*batches[end - 1])
        last: list[tuple[int, int]] = []
        for batch in reversed(batches[:end]):
            if sum(read for read, _ in last) >= window:
                break
            last.append(batch)
        read, rejected = sum(n for n, _ in last), sum(n for _, n in last)
        assert limit.share == pytest.approx(rejected / read)
        assert passed == (rejected > share * max(read, window))
