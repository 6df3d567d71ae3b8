"""What is usual of a figure: its own last windows, and how likely one as bad as this is where nothing has changed.

No bound of another service fits an AUC or a mean error, so figures of outcomes are held to their own history: a figure
is unusual where it lies outside the prediction interval of the windows before it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from weir.monitor.threshold import Threshold

KEPT: Final = 28  # windows: of days four weeks, so that each weekday has its share
NEEDED: Final = 7  # below them nothing is said: of days, a week is not over yet
NORMAL_95: Final = 1.959964  # half-width of an interval at 95 %, in standard errors


class Way(StrEnum):
    """Where a figure goes when it gets worse."""

    FALLS = "falls"
    RISES = "rises"
    MOVES = "moves"  # both


def limit(way: Way, value: float, history: Sequence[float]) -> Threshold:
    """What a figure has to be beyond, so that it is worse than usual at all: the mean of its history."""
    mean = statistics.fmean(history)
    falls = way is Way.FALLS or (way is Way.MOVES and value < mean)
    return Threshold("<" if falls else ">", mean)


def p_value(
    way: Way, value: float, history: Sequence[float], low: float | None = None, high: float | None = None
) -> float:
    """How likely a figure at least as far on the bad side is, where windows differ as they did; nan of too few.

    low, high: its interval at 95 %: windows are not taken to differ by less than their own rows say. Of windows that
    are independent and normal these p-values are independent of each other, window after window.
    Source: prediction interval of one more observation, Student's t of k - 1 degrees; recursive residuals, Brown,
    Durbin and Evans 1975.

    >>> round(p_value(Way.FALLS, 0.7, [0.8, 0.81, 0.79, 0.8, 0.82, 0.78, 0.8]), 5)
    0.00018
    >>> round(p_value(Way.RISES, 0.7, [0.8, 0.81, 0.79, 0.8, 0.82, 0.78, 0.8]), 5)
    0.99982
    """
    k = len(history)
    if k < NEEDED:
        return math.nan
    own = (high - low) / 2 / NORMAL_95 if low is not None and high is not None else 0.0
    spread, off = max(statistics.stdev(history), own), value - statistics.fmean(history)
    if spread == 0:
        return math.nan  # it has never differed, and nothing says by how much it might
    both = both_tails(abs(off) / (spread * math.sqrt(1 + 1 / k)), k - 1)
    if way is Way.MOVES:
        return both
    return both / 2 if (off < 0) == (way is Way.FALLS) else 1 - both / 2


def both_tails(t: float, degrees: int) -> float:
    """The chance that Student's t of whole degrees is at least this far from 0; exact to 1e-15, not below it.

    Source: Abramowitz and Stegun 1964, 26.7.3 and 26.7.4.

    >>> round(both_tails(2.2621571628, 9), 9), round(both_tails(2.2281388520, 10), 9), both_tails(1.0, 1)
    (0.05, 0.05, 0.5)
    """
    angle = math.atan(t / math.sqrt(degrees))
    cosine, odd = math.cos(angle), degrees % 2
    term = total = (cosine if degrees > 1 else 0.0) if odd else 1.0
    for at in range(2 + odd, degrees - 1, 2):
        term *= cosine * cosine * (at - 1) / at
        total += term
    within = 2 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total
    return min(max(1 - within, 1e-15), 1.0)
