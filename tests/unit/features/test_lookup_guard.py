"""The budget of a micro-batch, and one failure a batch, whatever a call of the store does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from weir.core.breaker import Breaker, BreakerState
from weir.core.errors import Unavailable
from weir.edges.features.lookup_guard import LookupGuard

from tests.waiting import until

BUDGET_S = 0.05


def broken() -> int:
    raise Unavailable("away", remedy="start it")


@pytest.fixture
def guard() -> Iterator[LookupGuard]:
    opened = LookupGuard(Breaker(2, 0.0), BUDGET_S, own_thread=True)
    yield opened
    opened.close()


def test_an_answer_within_the_budget_is_given(guard: LookupGuard) -> None:
    guard.begin()
    assert guard.ask(lambda: 7) == 7
    guard.end()
    assert guard.state is BreakerState.CLOSED


def test_a_call_that_hangs_gives_nothing_and_holds_nobody_up(guard: LookupGuard) -> None:
    let_go = threading.Event()
    guard.begin()
    assert guard.ask(let_go.wait) is None
    assert guard.ask(lambda: 7) is None  # the rest of the batch does not ask again
    guard.end()
    guard.begin()
    assert guard.ask(lambda: 7) is None  # the thread is still held: no wait, and no failure of its own
    guard.end()
    assert guard.state is BreakerState.CLOSED

    def given_up() -> bool:
        guard.begin()
        assert guard.ask(lambda: 7) is None
        guard.end()
        return guard.state is BreakerState.OPEN

    until(given_up, 60, "the hanging call to last for another budget")
    let_go.set()

    def answered() -> bool:
        guard.begin()
        found = guard.ask(lambda: 7)
        guard.end()
        return found == 7

    until(answered, 60, "the thread to be free")
    assert guard.state is BreakerState.CLOSED


def test_all_calls_of_a_batch_share_one_budget(guard: LookupGuard) -> None:
    calls = 0
    guard.begin()
    while guard.ask(lambda: time.sleep(BUDGET_S / 4) or 7) is not None:  # type: ignore[func-returns-value]
        calls += 1
    assert calls < 4


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
