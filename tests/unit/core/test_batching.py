"""When a micro-batch is large enough."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from weir.core.batch import ClosedBy
from weir.core.batching import LOAD, PRIOR, AdaptiveBatching

COST = 3e-3, 8e-6  # of a batch and of a row, seconds


def paced(
    rate: float, sizes: tuple[int, ...] = (1, 10, 200, 4000), slack_s: float | None = None
) -> tuple[AdaptiveBatching, float]:
    """A policy after two seconds of requests at this rate, batches of these sizes in turns; and the time by then."""
    batching = AdaptiveBatching(4096, 0.01, 0.05)
    for turn in range(200):
        batching.observe(sizes[turn % len(sizes)], COST[0] + COST[1] * sizes[turn % len(sizes)], slack_s)
        batching.arrived(round(rate / 100), turn / 100)
    return batching, 1.99


def test_the_cost_of_batches_is_found_from_what_they_took():
    a, b = paced(100)[0].curve
    assert a == pytest.approx(COST[0], rel=0.01)
    assert b == pytest.approx(COST[1], rel=0.01)


def test_batches_of_one_size_are_explained_by_something():
    a, b = paced(100, sizes=(64,))[0].curve
    assert a + 64 * b == pytest.approx(COST[0] + 64 * COST[1], rel=0.01)


def test_before_the_first_batch_the_prior_holds():
    assert AdaptiveBatching(4096, 0.01, 0.05).curve == pytest.approx(PRIOR)


def test_a_lone_request_waits_for_nobody():
    batching, now_s = paced(100)
    assert batching.target_rows(now_s) == 1
    assert batching.wait_s(1, 0.0, 0.0, now_s) == (0.0, ClosedBy.ENOUGH)


@pytest.mark.parametrize("rate", [1_000, 5_000, 20_000])
def test_batches_leave_the_worker_the_time_that_it_wants(rate: int):
    batching, now_s = paced(rate)
    n = batching.target_rows(now_s)
    measured = batching.rate(now_s)
    assert measured == pytest.approx(rate, rel=0.05)
    assert COST[0] * measured / n + COST[1] * measured <= LOAD * 1.01
    assert n == 1 or COST[0] * measured / (n - 1) + COST[1] * measured > LOAD * 0.99


def test_under_pressure_a_batch_takes_all_there_is():
    batching, now_s = paced(100_000)
    assert batching.target_rows(now_s) == 4096


def test_a_rate_is_forgotten_when_nothing_comes():
    batching, now_s = paced(20_000)
    assert batching.target_rows(now_s) > batching.target_rows(now_s + 1.0) > batching.target_rows(now_s + 5.0) == 1


def test_a_wait_ends_in_time_for_the_budget_and_for_the_tightest_deadline_of_late():
    batching, now_s = paced(5_000)
    assert batching.wait_s(2, 0.004, 0.0, now_s) == (pytest.approx(0.006), ClosedBy.WAIT)
    left_s, why = batching.wait_s(2, 0.0, 0.042, now_s)
    assert (left_s, why) == (pytest.approx(0.05 - 0.042 - COST[0], abs=1e-4), ClosedBy.DEADLINE)
    hurried, now_s = paced(5_000, slack_s=0.008)
    assert hurried.wait_s(2, 0.0, 0.0, now_s) == (pytest.approx(0.008 - COST[0], abs=1e-4), ClosedBy.DEADLINE)


@given(
    st.lists(st.tuples(st.integers(1, 4096), st.floats(0, 10), st.none() | st.floats(-1, 10)), max_size=60),
    st.lists(st.tuples(st.integers(1, 100_000), st.floats(0, 2)), max_size=30),
    st.integers(1, 4096),
    st.floats(0, 1),
    st.floats(0, 100),
)
def test_no_batch_waits_longer_than_it_may(batches, arrivals, rows, waited_s, age_s):
    batching, now_s = AdaptiveBatching(4096, 0.01, 0.05), 0.0
    for size, seconds, slack_s in batches:
        batching.observe(size, seconds, slack_s)
    for count, pause_s in arrivals:
        now_s += pause_s
        batching.arrived(count, now_s)
    left_s, why = batching.wait_s(rows, waited_s, age_s, now_s)
    assert math.isfinite(left_s)
    assert left_s <= max(0.0, 0.01 - waited_s)
    assert left_s <= max(0.0, 0.05 - age_s)
    assert 1 <= batching.target_rows(now_s) <= 4096
    assert why in (ClosedBy.ENOUGH, ClosedBy.WAIT, ClosedBy.DEADLINE)


def test_what_is_wanted_is_what_is_enough_and_the_longest_wait_for_it():
    batching, now_s = paced(5_000)
    assert batching.wanted(now_s) == (batching.target_rows(now_s), pytest.approx(0.01))
    hurried, now_s = paced(5_000, slack_s=0.002)
    assert hurried.wanted(now_s) == (hurried.target_rows(now_s), 0.0)
