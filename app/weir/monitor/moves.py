"""How far what is seen of a service has moved between the time before and a window, beyond what chance moves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

LEVELS: Final = np.array([0.01, *np.arange(1, 20) * 0.05, 0.99])  # of the quantiles that a Part has
CHANCE: Final = 1.63  # Kolmogorov: a distance of CHANCE * sqrt(1/n + 1/m) is chance in 1 of 100 cases. Smirnov 1948
GRAIN: Final = 0.03  # what quantiles at steps of 0.05 leave open
LEAST_BIN: Final = 10  # rows with an outcome, below which a bin says nothing


@dataclass(frozen=True, slots=True)
class Part:
    """A number in a window, or before it. points: its quantiles at LEVELS; missing: rows without it."""

    rows: int
    missing: int
    points: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pair:
    """The same in the time before and in the window."""

    before: Part
    window: Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What can be seen of a change, all rows or those without a group.

    values: features by name, the score under "". truths: (rows, mean, spread) of what came true, by bin of the score.
    """

    values: Mapping[str, Pair]
    truths: Mapping[int, tuple[tuple[int, float, float], tuple[int, float, float]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Moved:
    """How far everything has moved beyond chance."""

    features: Mapping[str, float]
    score: float
    truth: float

    @staticmethod
    def of(seen: Seen) -> Moved:
        """What has moved of all that is seen."""
        distances = {name: moved(pair) for name, pair in seen.values.items()}
        score = distances.pop("", 0.0)
        return Moved(distances, score, _truth_moved(seen.truths))

    @property
    def total(self) -> float:
        """All of it."""
        return sum(self.features.values()) + self.score + self.truth


def moved(pair: Pair) -> float:
    """How far a number has moved beyond chance, 0 to 1: the distance of its distributions, or of what is missing."""
    n, m = pair.before.rows, pair.window.rows
    if not n or not m:
        return 0.0
    floor = CHANCE * math.sqrt(1 / n + 1 / m)
    missing = abs(pair.before.missing / n - pair.window.missing / m)
    return max(0.0, missing - floor, distance(pair.before, pair.window) - floor - GRAIN)


def distance(one: Part, other: Part) -> float:
    """Kolmogorov's distance of two distributions, from their quantiles; 0 where one has no number.

    Between two quantiles lie values, or a jump: of both readings the one that sees less.
    """
    if one.rows == one.missing or other.rows == other.missing:
        return 0.0
    at = np.unique(np.concatenate([one.points, other.points]))
    smooth = np.abs(_line(one.points, at) - _line(other.points, at)).max()
    steps = np.abs(_steps(one.points, at) - _steps(other.points, at)).max()
    return float(min(smooth, steps))


def _line(points: npt.NDArray[np.float64], at: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A distribution as a line through its quantiles, each once and at the highest of its levels."""
    places = np.append(np.flatnonzero(np.diff(points)), len(points) - 1)
    found: npt.NDArray[np.float64] = np.interp(at, points[places], LEVELS[places], left=0.0, right=1.0)
    return found


def _steps(points: npt.NDArray[np.float64], at: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    levels = np.concatenate([[0.0], LEVELS])
    found: npt.NDArray[np.float64] = levels[np.searchsorted(points, at, side="right")]
    return found


def _truth_moved(truths: Mapping[int, tuple[tuple[int, float, float], tuple[int, float, float]]]) -> float:
    """How far what comes true of equal scores has moved beyond chance: mean over bins, by the window's rows.

    A difference is in units of twice its spread, so that of a probability at most 1 is possible. By chance a bin's is
    0.8 standard errors on average, with a spread of 0.6: the mean of a half-normal distribution.
    """
    total, chance, rows = 0.0, 0.0, 0
    for (n, before, spread), (m, window, other) in truths.values():
        if n < LEAST_BIN or m < LEAST_BIN:
            continue
        scale = 2 * max(spread, other, 1e-12)
        error = math.sqrt(spread**2 / n + other**2 / m) / scale
        total += m * (min(1.0, abs(window - before) / scale) - 0.8 * error)
        chance += (m * 0.6 * error) ** 2
        rows += m
    return max(0.0, total - 3 * math.sqrt(chance)) / rows if rows else 0.0
