"""The rules of a measurement: warm-up, rounds, medians, turns; and what makes a run worthless.

Everything that is compared is measured in turns within one round, so that a machine that slows down slows down all of
them; a ratio is taken within its round, and the median over the rounds is what is told.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

VERSION = "3"  # of these rules and of the JSON; results of different versions are not comparable
Say = Callable[[str], None]  # told of each step
QUANTILES = (0.5, 0.99, 0.999)
BROKERS = ("kafka", "tansu")  # of a whole run; what does not depend on the broker is measured on the first


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How much is measured, and what is tolerated.

    rounds: of everything that is compared; peer_rounds: of the first of them, also with the peers; scale_rounds: of the
    configurations that only tell how cost grows; most_rounds: of a configuration whose rounds do not agree.
    drain_rows: requests of one drain; a tenth before and a tenth after are not counted. peer_s: how long a peer may run
    per round. latency_s: length of one open loop; latency_warm_s: of those before them, for the broker.
    max_spread: largest (max - min) / median over the rounds of a ratio that agree. max_foreign: largest share of the
    machine's cores that other processes may take during a round. max_late: largest share of requests sent over LATE_MS
    late. max_gap_ms: longest time for which a core may have given nobody its time, see gaps.py.
    """

    quick: bool
    rounds: int
    peer_rounds: int
    scale_rounds: int
    most_rounds: int
    drain_rows: int
    peer_s: float
    peer_rows: int
    limit_s: float
    latency_s: float
    latency_warm_s: float
    memory_s: float
    memory_backlog_rows: int
    recorder_rows: int
    max_spread: float = 0.25
    max_foreign: float = 0.10
    max_late: float = 0.01
    max_gap_ms: float = 30.0

    def to_dict(self) -> dict[str, Any]:
        """For the JSON."""
        return {"version": VERSION, **asdict(self)}


FULL = Protocol(
    quick=False,
    rounds=3,
    peer_rounds=3,
    scale_rounds=2,
    most_rounds=5,
    drain_rows=1_000_000,
    peer_s=15.0,
    peer_rows=100_000,
    limit_s=1.0,
    latency_s=20.0,
    latency_warm_s=120.0,
    memory_s=600.0,
    memory_backlog_rows=2_000_000,
    recorder_rows=1_000_000,
)
QUICK = Protocol(
    quick=True,
    rounds=2,
    peer_rounds=1,
    scale_rounds=1,
    most_rounds=4,
    drain_rows=400_000,
    peer_s=6.0,
    peer_rows=40_000,
    limit_s=0.5,
    latency_s=4.0,
    latency_warm_s=60.0,
    memory_s=12.0,
    memory_backlog_rows=200_000,
    recorder_rows=800_000,
)
LATE_MS = 1.0  # a send this much behind its schedule is late
AGREEING = 3  # rounds that must agree, or all where there are fewer


@dataclass(slots=True)
class Judge:
    """Collects what broke the protocol. A run with any entry is refused: it is shown, and not kept as a result."""

    protocol: Protocol
    broken: list[str] = field(default_factory=list)

    def refuse(self, reason: str) -> None:
        """Note a reason, once."""
        if reason not in self.broken:
            self.broken.append(reason)

    def spread(self, what: str, values: Sequence[float]) -> None:
        """Rounds that differ too much say nothing about what was measured."""
        if not self.agree(values):
            found, allowed = agreement(values), self.protocol.max_spread
            self.refuse(f"{what}: rounds differ by {found:.0%} of their median, allowed are {allowed:.0%}")

    def agree(self, values: Sequence[float]) -> bool:
        """Whether rounds say the same, as far as is asked."""
        return agreement(values) <= self.protocol.max_spread

    def foreign(self, what: str, share: float) -> None:
        """Other processes took part of the machine."""
        if share > self.protocol.max_foreign:
            self.refuse(
                f"{what}: other processes took {share:.0%} of the machine, allowed are {self.protocol.max_foreign:.0%}"
            )

    def late(self, what: str, share: float) -> None:
        """A load generator that falls behind its schedule measures itself."""
        if share > self.protocol.max_late:
            self.refuse(
                f"{what}: {share:.1%} of the requests were sent over {LATE_MS:g} ms late, "
                f"allowed are {self.protocol.max_late:.0%}"
            )

    def stood_still(self, what: str, ms: float) -> None:
        """The machine gave none of its time for so long: whatever waited meanwhile is charged with it."""
        if ms > self.protocol.max_gap_ms:
            self.refuse(
                f"{what}: the machine stood still for {ms:.0f} ms, allowed are {self.protocol.max_gap_ms:.0f} ms"
            )

    def whole(self, what: str, faults: Sequence[str]) -> None:
        """A system that lost, doubled or falsified something has no throughput."""
        for fault in faults:
            self.refuse(f"{what}: {fault}")

    @property
    def valid(self) -> bool:
        """Nothing was broken."""
        return not self.broken


def median(values: Sequence[float]) -> float:
    """The median; NaN of nothing.

    >>> median([3.0, 1.0, 2.0]), median([1.0, 2.0])
    (2.0, 1.5)
    """
    return float(statistics.median(values)) if values else math.nan


def spread(values: Sequence[float]) -> float:
    """(max - min) / median, unitless.

    >>> spread([9.0, 10.0, 11.0])
    0.2
    """
    return (max(values) - min(values)) / median(values)


def agreement(values: Sequence[float]) -> float:
    """The spread of the three values that agree best, or of all where there are fewer; 0 of less than two.

    A machine that is shared stands still now and then: one such round shall not cost the others. The median is told
    over all rounds, also those that do not agree.

    >>> agreement([10.0, 11.0, 9.0, 2.0]), agreement([10.0, 5.0]), agreement([10.0])
    (0.2, 0.6666666666666666, 0.0)
    """
    if len(values) < 2:
        return 0.0
    ordered = sorted(values)
    n = min(AGREEING, len(ordered))
    return min(spread(ordered[i : i + n]) for i in range(len(ordered) - n + 1))


def ratios(system: Sequence[float], limit: Sequence[float]) -> list[float]:
    """Round by round.

    >>> ratios([50.0, 60.0], [100.0, 100.0])
    [0.5, 0.6]
    """
    return [ours / theirs for ours, theirs in zip(system, limit, strict=True)]


def percentiles(values: npt.NDArray[np.float64], quantiles: Sequence[float] = QUANTILES) -> dict[str, float]:
    """Nearest-rank percentiles, so that each is a value that was measured: {"p50": ..., "p99": ..., "p99.9": ...}.

    Source: Hyndman and Fan 1996, definition 1.

    >>> percentiles(np.arange(1.0, 1001.0))
    {'p50': 500.0, 'p99': 990.0, 'p99.9': 999.0}
    """
    names = [f"p{quantile * 100:g}" for quantile in quantiles]
    if not len(values):
        return dict.fromkeys(names, math.nan)
    found = np.quantile(values, list(quantiles), method="inverted_cdf")
    return {name: float(value) for name, value in zip(names, found, strict=True)}


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a drain that is counted: rows between two times of the wall clock, milliseconds."""

    rows: int
    begin_ms: int
    end_ms: int

    @property
    def per_s(self) -> float:
        """Rows per second."""
        return self.rows / (self.end_ms - self.begin_ms) * 1000


def window(times_ms: npt.NDArray[np.int64], begin: float = 0.1, end: float = 0.9, not_before_ms: float = 0.0) -> Window:
    """Rows between the `begin`-th and the `end`-th part of a drain, and not before a time.

    times_ms: int64[n], when each record was in the log, ascending. Records of a batch share one time, so both edges are
    put behind the last record of the batch that they fall into.
    Raises ValueError when less than a quarter of the records is left between them.

    >>> window(np.repeat([0, 10, 20, 30], 25))
    Window(rows=75, begin_ms=0, end_ms=30)
    """
    n = len(times_ms)
    if not n:
        raise ValueError("there is no record")
    first, last = max(times_ms[int(n * begin)], int(not_before_ms)), times_ms[min(n - 1, int(n * end))]
    before, upto = np.searchsorted(times_ms, [first, last], side="right")
    if last <= first or upto - before < n / 4:
        raise ValueError(f"{n} records are too few to tell a rate")
    return Window(int(upto - before), int(first), int(last))


def slope_per_minute(times_s: Sequence[float], values: Sequence[float]) -> float:
    """Least-squares slope of values over time, per minute.

    >>> round(slope_per_minute([0, 30, 60], [1.0, 2.0, 3.0]), 6)
    2.0
    """
    return float(np.polyfit(np.asarray(times_s, float), np.asarray(values, float), 1)[0] * 60)


def finite(value: Any) -> Any:
    """The same plain value with NaN and infinities as None, since JSON has none of them."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value
