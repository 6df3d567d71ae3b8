"""A circuit breaker: whether a service that failed is asked again. A state machine; time is an argument."""

from __future__ import annotations

from enum import IntEnum


class BreakerState(IntEnum):
    """The numbers are those of the metric, so that more is worse."""

    CLOSED = 0  # the service is asked
    HALF_OPEN = 1  # one trial is under way
    OPEN = 2  # the service is not asked


class Breaker:
    """Opens after `failures` failures in a row, and lets one trial through `open_s` seconds after each failure then.

    Call `allows` before asking, and then one of `succeeded` and `failed`. One caller at a time, so that there is only
    ever one trial. Source: Nygard 2018, Release It!, 2nd edition, "Circuit Breaker".

    >>> breaker = Breaker(failures=2, open_s=10)
    >>> breaker.failed(0), breaker.failed(1), breaker.allows(5), breaker.allows(11), breaker.state.name
    (None, None, False, True, 'HALF_OPEN')
    >>> breaker.failed(11), breaker.allows(20), breaker.allows(21), breaker.succeeded(), breaker.state.name
    (None, False, True, None, 'CLOSED')
    """

    def __init__(self, failures: int, open_s: float) -> None:
        self._limit, self._open_s = failures, open_s
        self._failures = 0  # in a row
        self._until_s = 0.0
        self.state = BreakerState.CLOSED

    def allows(self, now_s: float) -> bool:
        """Whether the service may be asked. now_s: monotonic seconds, of the same clock as in `failed`."""
        if self.state is BreakerState.OPEN and now_s >= self._until_s:
            self.state = BreakerState.HALF_OPEN
        return self.state is not BreakerState.OPEN

    def succeeded(self) -> None:
        """The service answered."""
        self._failures = 0
        self.state = BreakerState.CLOSED

    def failed(self, now_s: float) -> None:
        """The service did not answer, or too late."""
        self._failures += 1
        if self.state is BreakerState.HALF_OPEN or self._failures >= self._limit:
            self.state = BreakerState.OPEN
            self._until_s = now_s + self._open_s
