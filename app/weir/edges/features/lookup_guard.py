"""Keeps a slow or absent online store from holding up scoring: a time budget, and a circuit breaker."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import structlog

from weir.core.breaker import Breaker, BreakerState
from weir.core.errors import Unavailable

T = TypeVar("T")
log = structlog.get_logger(__name__)


class LookupGuard:
    """Calls of the online store for one micro-batch after the other: `begin`, `ask` as often as needed, `end`.

    A call that raises Unavailable, or has not answered when the batch's budget is spent, gives None, and so do the
    batch's further calls: they are one failure for the breaker. While a call that was given up is still under way,
    batches are not held up by another; each further budget that it lasts is one more failure, however many batches come
    in that time, so that one slow answer does not open the breaker. One thread at a time.

    budget_s: for all calls of a batch together. now_s: monotonic seconds.
    own_thread: calls run in a thread of their own, so that the budget holds whatever a call waits for (a socket, a
    name server, an answer that trickles). The hand-over costs some 50 us, which a store on this machine does without:
    its calls run in the caller's thread, and the budget does not bind them.
    """

    def __init__(
        self, breaker: Breaker, budget_s: float, *, own_thread: bool, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._breaker, self._budget_s, self._now_s = breaker, budget_s, now_s
        self._executor = ThreadPoolExecutor(1, "lookup") if own_thread else None
        self._late: Future[Any] | None = None  # a call that was given up, and may still hold the thread
        self._failed_s = -budget_s  # when a failure was last counted
        self._deadline_s = 0.0
        self._may_ask = True
        self._asked = False
        self._told = BreakerState.CLOSED

    @property
    def state(self) -> BreakerState:
        """The breaker's."""
        return self._breaker.state

    def begin(self) -> None:
        """A micro-batch begins: its budget, and whether the store may be asked at all."""
        now_s = self._now_s()
        self._deadline_s = now_s + self._budget_s
        self._may_ask = self._breaker.allows(now_s)
        self._asked = False

    def ask(self, call: Callable[[], T]) -> T | None:
        """What the call gives; None when the store does not answer or is not asked. Raises all but Unavailable."""
        if not self._may_ask:
            return None
        self._asked = True
        try:
            return call() if self._executor is None else self._within_budget(self._executor, call)
        except _Owed as error:
            if self._breaker.state is BreakerState.HALF_OPEN or self._now_s() - self._failed_s >= self._budget_s:
                self._count(error)
        except Unavailable as error:
            self._count(error)
        self._may_ask = False
        return None

    def _count(self, error: Unavailable) -> None:
        self._failed_s = self._now_s()
        self._breaker.failed(self._failed_s)
        self._tell(str(error))

    def end(self) -> None:
        """The micro-batch is looked up: without a failure the store is well, if it was asked at all."""
        if self._asked and self._may_ask:
            self._breaker.succeeded()
            self._tell("")

    def close(self) -> None:
        """Take no more calls; one that hangs is left to its own time-outs."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)

    def _within_budget(self, executor: ThreadPoolExecutor, call: Callable[[], T]) -> T:
        if self._late is not None and not self._late.done():
            raise _Owed("the online store still owes an earlier answer", remedy="check its load and the network")
        self._late = None
        future = executor.submit(call)
        try:
            return future.result(max(0.0, self._deadline_s - self._now_s()))
        except TimeoutError:
            self._late = future
            raise Unavailable(
                f"the online store did not answer within {self._budget_s * 1000:g} ms",
                remedy="check its load and the network, or raise WEIR_LOOKUP_BUDGET_MS",
            ) from None

    def _tell(self, error: str) -> None:
        """Once for each change between answering and not."""
        state = self._breaker.state
        if state is BreakerState.OPEN and self._told is BreakerState.CLOSED:
            log.warning("online store is asked seldom until it answers", error=error)
            self._told = state
        elif state is BreakerState.CLOSED and self._told is BreakerState.OPEN:
            log.info("online store answers again")
            self._told = state


class _Owed(Unavailable):
    """A call that was given up has not ended."""
