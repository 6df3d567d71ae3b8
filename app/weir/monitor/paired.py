"""By how much one who answers is better than another on the same requests: an interval that may be looked at every day.

A day is the unit of chance, since its requests share their circumstances; and so may days that follow each other: of
the variance by days and by blocks of three days the larger one counts. Source of the formula: sequence. The scale at
which it is tightest comes from the first days, before the first look.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from weir.monitor.dependence import autocorrelation
from weir.monitor.sequence import best_rho, normal_mixture_bound, variance_of_blocks

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

LEAST: Final = 20  # days before the first look: of fewer the variance is not known well enough
PLANNED: Final = 30  # days after which the interval is tightest, beside its width
BLOCKS: Final = (1, 3)  # days
NOTHING: Final = (
    1e-280  # a scale where the first days do not differ at all: the interval is wide later, and never false
)


@dataclass(frozen=True, slots=True)
class Advantage:
    """After each of b days: mean, low and high of what the one is better by, float64[b]; NaN where it is not known.

    days: those that say something. autocorrelation: of a day's total with the next one's. Above 0.3 days hang together:
    the interval is then narrower than it claims.
    """

    mean: Floats
    low: Floats
    high: Floats
    days: int
    autocorrelation: float


def advantage(n: npt.ArrayLike, total: npt.ArrayLike, alpha: float) -> Advantage:
    """The row-weighted mean over days: n, total float64[b], rows and sum of a day's differences; 0 rows say nothing.

    With a chance of 1 - alpha the mean lies within the interval at every look, for ever.
    """
    rows, sums = np.asarray(n, float), np.asarray(total, float)
    there = np.flatnonzero(rows > 0)
    said = np.full((3, len(rows)), np.nan)
    if len(there):
        some, of = rows[there], sums[there]
        seen, mean = np.cumsum(some), np.cumsum(of) / np.cumsum(some)
        variance = np.max([_variance(some, of, days) for days in BLOCKS], axis=0)
        tightest = max(PLANNED * float(variance[LEAST - 1]) / LEAST, NOTHING) if len(there) >= LEAST else 1.0
        with np.errstate(over="ignore"):
            radius = normal_mixture_bound(variance, alpha, best_rho(tightest, alpha)) / seen
        radius[: LEAST - 1] = np.nan
        said[:, there] = mean, mean - radius, mean + radius
        latest = np.maximum.accumulate(np.where(rows > 0, np.arange(len(rows)), -1))
        said = np.where(latest >= 0, said[:, latest], np.nan)
    per_row = sums[there] / rows[there]
    return Advantage(said[0], said[1], said[2], len(there), float(autocorrelation(per_row, 1)[0]))


def since(held: Flags) -> int | None:
    """The first day of the run of days that holds to the last one; None where the last one does not hold.

    >>> since(np.array([True, False, True, True])), since(np.array([True, False]))
    (2, None)
    """
    if not len(held) or not held[-1]:
        return None
    broken = np.flatnonzero(~held)
    return int(broken[-1]) + 1 if len(broken) else 0


def _variance(n: Floats, total: Floats, days: int) -> Floats:
    """By blocks of so many days, as it would be of more of them: their mean is of the same blocks."""
    blocks = np.arange(len(n)) // days + 1
    return variance_of_blocks(n, total, days) * blocks / np.maximum(blocks - 1, 1)
