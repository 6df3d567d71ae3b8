"""The budget of a micro-batch, and one failure a batch, whatever a call of the store does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from weir.core.breaker import Breaker, BreakerState
from weir.core.errors import Unavailable
from weir.edges.features.lookup_guard import LookupGuard

from tests.waiting import WAIT_S, until

BUDGET_S = 0.05  # where it runs out
AMPLE_S = 60.0  # where it does not, on any machine


class Clock:
    """Time that stands still between two steps of a test."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def broken() -> int:
    raise Unavailable("away", remedy="start it")


@contextmanager
def opened(budget_s: float, now_s: Callable[[], float] = time.monotonic) -> Iterator[LookupGuard]:
    """A guard whose breaker opens with the second failure, and lets a call try it again at once."""
    guard = LookupGuard(Breaker(2, 0.0), budget_s, own_thread=True, now_s=now_s)
    try:
        yield guard
    finally:
        guard.close()


@pytest.fixture
def guard() -> Iterator[LookupGuard]:
    with opened(AMPLE_S) as guard:
        yield guard


def test_an_answer_within_the_budget_is_given(guard: LookupGuard) -> None:
    guard.begin()
    assert guard.ask(lambda: 7) == 7
    guard.end()
    assert guard.state is BreakerState.CLOSED


def test_a_call_that_hangs_gives_nothing_and_holds_nobody_up() -> None:
    clock, let_go = Clock(), threading.Event()
    with opened(BUDGET_S, clock) as guard:
        try:
            check_hanging(guard, clock, let_go)
        finally:
            let_go.set()

        def answered() -> bool:
            guard.begin()
            found = guard.ask(lambda: 7)
            guard.end()
            return found == 7

        until(answered, WAIT_S, "the thread to be free")
        assert guard.state is BreakerState.CLOSED


def check_hanging(guard: LookupGuard, clock: Clock, let_go: threading.Event) -> None:
    def nothing() -> None:
        guard.begin()
        assert guard.ask(lambda: 7) is None
        guard.end()

    guard.begin()
    assert guard.ask(let_go.wait) is None
    assert guard.ask(lambda: 7) is None  # the rest of the batch does not ask again
    guard.end()
    nothing()  # the thread is still held: no wait, and no failure of its own
    clock.now_s += BUDGET_S / 2
    nothing()
    assert guard.state is BreakerState.CLOSED
    clock.now_s += BUDGET_S
    nothing()  # it has lasted for another budget
    assert guard.state is BreakerState.OPEN


def test_all_calls_of_a_batch_share_one_budget() -> None:
    clock, let_go = Clock(), threading.Event()

    def slow() -> int:
        clock.now_s += AMPLE_S / 4
        return 7

    with opened(AMPLE_S, clock) as guard:
        guard.begin()
        for _ in range(4):
            assert guard.ask(slow) == 7
        assert guard.ask(let_go.wait) is None  # nothing of it is left
        let_go.set()


def test_several_failures_of_a_batch_are_one() -> None:
    guard = LookupGuard(Breaker(2, 1.0), BUDGET_S, own_thread=False, now_s=lambda: 0.0)
    guard.begin()
    assert [guard.ask(broken), guard.ask(broken)] == [None, None]
    guard.end()
    assert guard.state is BreakerState.CLOSED
    guard.begin()
    assert guard.ask(lambda: 7) == 7
    assert guard.ask(broken) is None  # a batch with a failure is no success
    guard.end()
    assert guard.state is BreakerState.OPEN


def test_a_defect_is_not_taken_for_an_outage(guard: LookupGuard) -> None:
    guard.begin()
    with pytest.raises(ZeroDivisionError):
        guard.ask(lambda: 1 // 0)
