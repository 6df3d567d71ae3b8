"""Intervals of a mean that hold at every look, from blocks of rows.

Rows of one hour or day share their circumstances: a block is the unit of chance, not a row. Sources: Howard et al. 2021
(two-sided normal mixture); Waudby-Smith et al., arXiv 2103.06476 (with the variance as it is seen: asymptotic).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def best_rho(tightest: float, alpha: float) -> float:
    """The mixture's parameter with which the bound is tightest where the sum of variances is `tightest`."""
    return float(tightest / (2 * np.log(1 / alpha) + np.log(1 + 2 * np.log(1 / alpha))))


def normal_mixture_bound(variance: npt.ArrayLike, alpha: float, rho: float) -> Floats:
    """What the absolute sum of centred values stays below for ever, with probability 1 - alpha.

    variance: sum of the variances so far.
    """
    v = np.asarray(variance, float)
    bound: Floats = np.sqrt((v + rho) * (np.log((v + rho) / rho) + 2 * np.log(1 / alpha)))
    return bound


def log_e_normal_mixture(total: npt.ArrayLike, variance: npt.ArrayLike, rho: float) -> Floats:
    """The evidence that the mean is not 0; it is at least log(1/alpha) where 0 lies outside the interval."""
    s, v = np.asarray(total, float), np.asarray(variance, float)
    found: Floats = 0.5 * np.log(rho / (v + rho)) + s * s / (2 * (v + rho))
    return found


def interval_of_blocks(n: npt.ArrayLike, total: npt.ArrayLike, alpha: float, tightest: float) -> tuple[Floats, Floats]:
    """Low and high of the row-weighted mean after each of b blocks, float64[b] each; look from the 14th block on.

    n, total: rows and sum of the values of each block. tightest: sum of variances of block sums where it is tightest.
    """
    rows, sums = np.asarray(n, float), np.asarray(total, float)
    seen = np.cumsum(rows)
    mean = np.cumsum(sums) / seen
    variance = np.cumsum(sums * sums) - 2 * mean * np.cumsum(sums * rows) + mean * mean * np.cumsum(rows * rows)
    radius = normal_mixture_bound(np.maximum(variance, 0.0), alpha, best_rho(tightest, alpha)) / seen
    return mean - radius, mean + radius
