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
    radius = normal_mixture_bound(variance_of_blocks(rows, sums), alpha, best_rho(tightest, alpha)) / seen
    return mean - radius, mean + radius


def variance_of_blocks(n: npt.ArrayLike, total: npt.ArrayLike, together: int = 1) -> Floats:
    """After each of b blocks the squares of what sums are off the row-weighted mean, summed: float64[b].

    together: blocks in a row whose sum is taken as one; of the last ones what there is.
    """
    rows, sums = np.asarray(n, float), np.asarray(total, float)
    mean, begins = np.cumsum(sums) / np.cumsum(rows), np.arange(len(rows)) // together * together
    ss, sn, nn = (_products(*pair, begins, together) for pair in ((sums, sums), (sums, rows), (rows, rows)))
    variance: Floats = np.maximum(ss - 2 * mean * sn + mean * mean * nn, 0.0)
    return variance


def _products(first: Floats, second: Floats, begins: npt.NDArray[np.int64], together: int) -> Floats:
    """After each block the products of two sums since the group's begin, summed over groups."""
    sums = [np.concatenate([[0.0], np.cumsum(each)]) for each in (first, second)]
    products = (sums[0][1:] - sums[0][begins]) * (sums[1][1:] - sums[1][begins])
    whole: Floats = np.concatenate([[0.0], np.cumsum(products[together - 1 :: together])])
    found: Floats = whole[begins // together] + products
    return found
