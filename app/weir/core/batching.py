"""When a micro-batch is large enough: from what batches cost, how fast requests come, and how long they may wait.

A batch of n rows takes a + b n seconds: a for the batch, b for each row, measured on the batches before. Where r rows
come in a second, batches of n keep the worker busy for a share a r / n + b r of its time. So the smallest n that
leaves it `1 - LOAD` of its time is a r / (LOAD - b r): one row when it is quiet, all that there is under pressure.
"""

from __future__ import annotations

import math
from collections import deque

from weir.core.batch import ClosedBy

# Share of its time that a worker may be busy before it batches more. Half of it leaves queues at the tail where broker
# and worker share cores: p99 at 500 a second was 49 ms with 0.5, 30 ms with 0.3.
LOAD = 0.3
RATE_S = 0.5  # time over which the rate of arrivals is averaged, seconds
MEMORY = 0.98  # weight of the past against each new batch: about fifty batches count
PRIOR = (2e-3, 5e-6)  # a and b before the first batch, seconds: a few milliseconds, as on a common server core
PRIOR_WEIGHT = 0.05  # of the prior, in batches: what decides while all batches have one size
SLACKS = 32  # batches whose tightest deadline is remembered


class AdaptiveBatching:
    """Decides when a batch closes. One writer; clocks are arguments, monotonic seconds unless said otherwise.

    max_rows: rows past which a batch closes. max_wait_s: longest wait of a batch for more rows. budget_s: how old a
    request may become, from its time in the broker to its batch's end.
    """

    def __init__(self, max_rows: int, max_wait_s: float, budget_s: float) -> None:
        self.max_rows, self._max_wait_s, self._budget_s = max_rows, max_wait_s, budget_s
        self._batches, self._rows, self._squares, self._seconds, self._products = (0.0,) * 5
        self._arrived, self._arrived_at_s = 0.0, -math.inf
        self._slacks: deque[float] = deque(maxlen=SLACKS)

    def arrived(self, rows: int, now_s: float) -> None:
        """So many requests have come."""
        self._arrived = self._arrived * math.exp((self._arrived_at_s - now_s) / RATE_S) + rows
        self._arrived_at_s = now_s

    def observe(self, rows: int, seconds: float, slack_s: float | None) -> None:
        """A batch took this long. slack_s: the tightest deadline that its callers gave, from their requests' time."""
        self._batches = self._batches * MEMORY + 1
        self._rows = self._rows * MEMORY + rows
        self._squares = self._squares * MEMORY + rows * rows
        self._seconds = self._seconds * MEMORY + seconds
        self._products = self._products * MEMORY + rows * seconds
        self._slacks.append(math.inf if slack_s is None else slack_s)

    def rate(self, now_s: float) -> float:
        """Requests a second."""
        return self._arrived / RATE_S * math.exp((self._arrived_at_s - now_s) / RATE_S)

    @property
    def curve(self) -> tuple[float, float]:
        """a and b, seconds: weighted least squares over the last batches, drawn towards the prior; neither below 0."""
        a, b = PRIOR
        n, x, xx = self._batches, self._rows, self._squares
        residual, products = self._seconds - n * a - x * b, self._products - x * a - xx * b
        n, xx = n + PRIOR_WEIGHT, xx + PRIOR_WEIGHT * self.max_rows
        determinant = n * xx - x * x
        a += (residual * xx - products * x) / determinant
        b += (products * n - residual * x) / determinant
        return max(a, 0.0), max(b, 0.0)

    def target_rows(self, now_s: float) -> int:
        """Rows that are worth a batch's fixed cost at the present rate."""
        (a, b), rate = self.curve, self.rate(now_s)
        left = LOAD - b * rate
        return self.max_rows if left <= 0 else max(1, min(self.max_rows, math.ceil(a * rate / left)))

    def wanted(self, now_s: float) -> tuple[int, float]:
        """How many requests are worth a batch, and how long the first of them may wait for the others, seconds."""
        left_s, _ = self.wait_s(0, 0.0, 0.0, now_s)
        return self.target_rows(now_s), max(left_s, 0.0)

    def wait_s(self, rows: int, waited_s: float, age_s: float, now_s: float) -> tuple[float, ClosedBy]:
        """How long a batch that holds `rows` may yet wait for more, and why it closes then; 0 or less: it closes.

        waited_s: since it was opened. age_s: of its oldest request, since its time in the broker.
        """
        if rows >= self.target_rows(now_s):
            return 0.0, ClosedBy.ENOUGH
        a, b = self.curve
        budget_s = min([self._budget_s, *self._slacks])
        left_s, spare_s = self._max_wait_s - waited_s, budget_s - age_s - a - b * rows
        return (left_s, ClosedBy.WAIT) if left_s <= spare_s else (spare_s, ClosedBy.DEADLINE)


class FixedBatching:
    """Closes by size and time alone: for readers whose work has no deadline."""

    def __init__(self, max_rows: int, max_wait_s: float) -> None:
        self.max_rows, self._max_wait_s = max_rows, max_wait_s

    def arrived(self, rows: int, now_s: float) -> None:
        """Nothing to learn from it."""

    def wanted(self, _now_s: float) -> tuple[int, float]:
        """The fixed rows and seconds."""
        return self.max_rows, self._max_wait_s

    def wait_s(self, _rows: int, waited_s: float, _age_s: float, _now_s: float) -> tuple[float, ClosedBy]:
        """What is left of the fixed wait."""
        return self._max_wait_s - waited_s, ClosedBy.WAIT
