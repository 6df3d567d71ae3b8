"""Detectors of a mean that rises, whose state is plain numbers: River's own decisions, and what goes into a snapshot.

Sources: Bifet and Gavalda 2007, Learning from time-changing data with adaptive windowing (ADWIN); Page 1954. As River
0.26 has them, with its parameters; River keeps the state of its own in C, where only a pickle reaches it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

DELTA: Final = 0.002
CLOCK: Final = 32  # values between two looks
BUCKETS: Final = 5  # of one size
LEAST: Final = 5  # values of a part of the window
GRACE: Final = 10
FADING: Final = 1 - 0.0001
FIRST: Final = 30  # values before Page-Hinkley says anything


class Adwin:
    """A window that drops its older part where that is surely of another mean. rows: buckets of 1, 2, 4 ... values."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._rows: list[list[tuple[float, float]]] = [[]]  # total and variance of each bucket, the oldest first
        self._width, self._ticks = 0, 0
        self._total = self._variance = 0.0
        self._found = False

    @property
    def mean(self) -> float:
        """Of the window; 0 of an empty one."""
        return self._total / self._width if self._width else 0.0

    def kept(self) -> dict[str, Any]:
        """For JSON."""
        names = ("width", "ticks", "total", "variance", "found")
        return {"rows": [list(row) for row in self._rows], **{name: getattr(self, f"_{name}") for name in names}}

    def restore(self, said: Mapping[str, Any]) -> None:
        """What `kept` gave, through JSON."""
        self._rows = [[(float(total), float(variance)) for total, variance in row] for row in said["rows"]]
        self._width, self._ticks, self._found = said["width"], said["ticks"], said["found"]
        self._total, self._variance = said["total"], said["variance"]

    def update(self, value: float) -> bool:
        """One value more; whether its mean is another one. It begins anew behind one that was."""
        if self._found:
            self._begin()
        self._width += 1
        if self._width > 1:
            off = value - self._total / (self._width - 1.0)
            self._variance += (self._width - 1.0) * off * off / self._width
        self._total += value
        self._rows[0].append((value, 0.0))
        self._compress()
        self._ticks += 1
        while self._ticks % CLOCK == 0 and self._width > GRACE and self._cut():
            self._drop()
            self._found = True
        return self._found

    def _compress(self) -> None:
        for number, row in enumerate(self._rows):
            if len(row) <= BUCKETS:
                return
            size = 1 << number
            (first, spread), (second, other) = row[:2]
            off = first / size - second / size
            if number + 1 == len(self._rows):
                self._rows.append([])
            self._rows[number + 1].append((first + second, spread + other + size * size * off * off / (size + size)))
            del row[:2]

    def _cut(self) -> bool:
        """Whether some older part of the window is of another mean than the rest."""
        oldest = range(len(self._rows) - 1, -1, -1)
        sizes = np.repeat([1 << number for number in oldest], [len(self._rows[number]) for number in oldest])
        totals = np.array([total for number in oldest for total, _ in self._rows[number]])
        before, of = np.cumsum(sizes)[:-1], np.cumsum(totals)[:-1]
        behind, rest = self._width - before, self._total - of
        far = (before >= LEAST) & (behind >= LEAST)
        before, of, behind, rest = before[far], of[far], behind[far], rest[far]
        likely = math.log(2 * math.log(self._width) / DELTA)
        parts = 1.0 / (before - LEAST + 1) + 1.0 / (behind - LEAST + 1)
        limit = np.sqrt(2 * parts * (self._variance / self._width) * likely) + 2 / 3 * likely * parts
        return bool((np.abs(of / before - rest / behind) > limit).any())

    def _drop(self) -> None:
        """The oldest bucket goes."""
        size = 1 << (len(self._rows) - 1)
        total, variance = self._rows[-1].pop(0)
        self._width -= size
        self._total -= total
        off = total / size - self._total / self._width
        self._variance -= variance + size * self._width * off * off / (size + self._width)
        if not self._rows[-1]:
            self._rows.pop()


class PageHinkley:
    """How far values have been above their mean, one after the other. allowed: a rise unseen; threshold: of the sum."""

    def __init__(self, allowed: float, threshold: float) -> None:
        self._allowed, self._threshold = allowed, threshold
        self._begin()

    def _begin(self) -> None:
        self._n, self._mean, self._sum, self._least, self._found = 0, 0.0, 0.0, math.inf, False

    def kept(self) -> dict[str, Any]:
        """For JSON."""
        least = None if math.isinf(self._least) else self._least
        return {"n": self._n, "mean": self._mean, "sum": self._sum, "least": least, "found": self._found}

    def restore(self, said: Mapping[str, Any]) -> None:
        """What `kept` gave, through JSON."""
        self._n, self._mean, self._sum, self._found = said["n"], said["mean"], said["sum"], said["found"]
        self._least = math.inf if said["least"] is None else said["least"]

    def update(self, value: float) -> bool:
        """One value more; whether values have risen. It begins anew behind one where they had."""
        if self._found:
            self._begin()
        self._n += 1
        self._mean += (value - self._mean) / self._n
        self._sum = FADING * self._sum + (value - self._mean) - self._allowed
        self._least = min(self._least, self._sum)
        self._found = self._n >= FIRST and self._sum - self._least > self._threshold
        return self._found
