"""The slow channel of drift: what comes true is not what is expected, for days, by more than is tolerated.

An e-detector over means of blocks of hours, since outcomes of one hour share their circumstances. Where the mean stays
within the tolerance it alarms once in a stated time or more rarely, whatever the distribution. Source: evidence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from weir.core.signature import Task
from weir.learn.learner import Slow
from weir.learn.losses import minute_of, tame
from weir.learn.model import Floats
from weir.monitor.evidence import TwoSided, cusum

Whole = npt.NDArray[np.int64]
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
LEAST: Final = 30  # outcomes of a block: one that has fewer is joined with the next
SPREAD_OF: Final = 1000  # outcomes that the range of errors is taken from
SPREADS: Final = 4.0  # standard deviations of errors of numbers that count as the range from 0 to 1 of a chance
WIDE: Final = 0.25  # of a mean, which counts as no more: one bad day is not to decide
STAKE: Final = 0.4  # of the one that says when it began


@dataclass(frozen=True, slots=True)
class Drift:
    """What was found. at_ms: when; begin_ms: of the block that it began with, as far as can be said.

    residual: mean of the blocks since then, above 0 where more comes true than is expected, or larger numbers. blocks:
    so many. evidence: factor by which bets on a change have won; limit: how much was needed, see Slow.
    """

    at_ms: int
    begin_ms: int
    residual: float
    blocks: int
    evidence: float
    limit: float

    @property
    def name(self) -> str:
        """By the time at which it was found, UTC."""
        return f"drift-{minute_of(self.at_ms)}"


class SlowDrift:
    """A detector at work. It begins anew after what it has found."""

    def __init__(self, task: Task, terms: Slow) -> None:
        self._task, self._terms = task, terms
        self._block_ms = int(terms.block_h * HOUR_MS)
        self._limit = terms.run_length_days * DAY_MS / self._block_ms
        self._unit = 1.0 if task is not Task.REGRESSION else 0.0
        self._first: list[Floats] = []
        self._block, self._n, self._sum = -1, 0, 0.0
        self.found: list[Drift] = []
        self._anew()

    def _anew(self) -> None:
        self._seen = TwoSided.new(self._terms.tolerance / WIDE)
        self._since = {side: (0.0, -1, 0, 0.0) for side in (1, -1)}  # log M, begin_ms, blocks, sum of their means

    def kept(self) -> dict[str, Any]:
        """What it goes on from, for JSON; without what it has found."""
        bets = {side: [None if math.isinf(one) else one for one in of.tolist()] for side, of in self._bets()}
        since = {str(side): list(of) for side, of in self._since.items()}
        first = np.concatenate([np.zeros(0), *self._first]).tolist() if not self._unit else []
        return {"unit": self._unit, "block": self._block, "n": self._n, "sum": self._sum, "first": first} | {
            "bets": bets,
            "since": since,
        }

    def restore(self, said: Mapping[str, Any]) -> None:
        """What `kept` gave, through JSON."""
        self._unit, self._block, self._n, self._sum = (said[name] for name in ("unit", "block", "n", "sum"))
        self._first = [np.array(said["first"], np.float64)]
        up, down = (
            np.array([-np.inf if one is None else one for one in said["bets"][side]]) for side in ("up", "down")
        )
        self._seen = TwoSided(self._seen.tolerance, up, down)
        self._since = {int(side): (of[0], of[1], of[2], of[3]) for side, of in said["since"].items()}

    def _bets(self) -> tuple[tuple[str, Floats], ...]:
        return ("up", self._seen.up), ("down", self._seen.down)

    def take(self, at_ms: Whole, residual: Floats) -> None:
        """Outcomes more, as they became known: at_ms int64[n], ascending; residual float64[n]."""
        blocks = at_ms // self._block_ms
        ends = np.flatnonzero(np.diff(blocks, prepend=self._block)).tolist()
        for begin, end in zip([0, *ends], [*ends, len(blocks)], strict=True):
            if begin == end:
                continue
            if (block := int(blocks[begin])) != self._block:
                self._end(block)
            self._n += end - begin
            self._sum = float(np.cumsum(np.concatenate([[self._sum], residual[begin:end]]))[-1])
            if not self._unit:
                self._first.append(residual[begin:end])

    def _end(self, block: int) -> None:
        """A block is over, with the first outcome of a later one."""
        if self._n >= LEAST:
            self._unit = self._unit or self._spread()
            if self._unit:
                self._see(self._sum / self._n / self._unit, self._block * self._block_ms, block * self._block_ms)
            self._n, self._sum = 0, 0.0
        self._block = block

    def _spread(self) -> float:
        """The range of numbers' errors, from the first of them; 0 of too few."""
        first = np.concatenate(self._first)
        return SPREADS * float(tame(first)[0].std()) if len(first) >= SPREAD_OF else 0.0

    def _see(self, mean: float, begin_ms: int, at_ms: int) -> None:
        value = min(max(mean / WIDE, -1.0), 1.0)
        self._seen = self._seen.after(value)
        tolerance = self._terms.tolerance / WIDE
        for side, (was, since_ms, blocks, total) in self._since.items():
            now = float(cusum(was, math.log1p(STAKE * (side * value - tolerance) / (1 + tolerance))))
            self._since[side] = (now, begin_ms, 1, mean) if was <= 0 else (now, since_ms, blocks + 1, total + mean)
        if self._seen.log_m < math.log(self._limit):
            return
        _, since_ms, blocks, total = max(self._since.values())
        residual = total / blocks * self._unit
        self.found.append(Drift(at_ms, since_ms, residual, blocks, math.exp(self._seen.log_m), self._limit))
        self._anew()
