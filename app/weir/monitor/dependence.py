"""How much neighbouring windows tell the same: autocorrelation, design effect, length of blocks."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def autocorrelation(values: npt.ArrayLike, lags: int) -> Floats:
    """Correlation with itself 1..lags steps later, float64[lags]; 0 for a constant.

    >>> autocorrelation([1, -1] * 50, 2).round(2).tolist()
    [-0.99, 0.98]
    """
    x = np.asarray(values, float)
    x = x - x.mean() if len(x) else x
    whole = float(x @ x)
    lagged = [float(x[:-lag] @ x[lag:]) if lag < len(x) else 0.0 for lag in range(1, lags + 1)]
    return np.array(lagged) / whole if whole > 0 else np.zeros(lags)


def design_effect(block_n: npt.ArrayLike, block_total: npt.ArrayLike, row_variance: float) -> float:
    """How many times larger the variance of a mean is than rows that are independent would give it; at least 1.

    block_n, block_total: rows and sum of each block, blocks independent of each other. row_variance: of a single value.
    Source: Kish 1965, deff; the ratio estimate for clusters of different size.

    >>> design_effect([10, 10], [10.0, -10.0], 1.0)
    10.0
    """
    n, total = np.asarray(block_n, float), np.asarray(block_total, float)
    rows = float(n.sum())
    if len(n) < 2 or rows == 0 or row_variance <= 0:
        return 1.0
    spread = total - total.sum() / rows * n
    return max(1.0, float(spread @ spread) / (rows * row_variance))


def block_length(values: npt.ArrayLike) -> int:
    """Windows that a block of a bootstrap should have, so that what depends on each other stays together.

    values: one series, equal steps. Source: Politis & White 2004, corrected by Patton, Politis & White 2009.

    >>> block_length([0.0] * 100)
    1
    """
    x = np.asarray(values, float)
    n = len(x)
    if n < 4 or np.ptp(x) == 0:
        return 1
    quiet, reach = max(5, round(math.sqrt(math.log10(n)))), math.ceil(math.sqrt(n)) + 5
    rho = autocorrelation(x, min(reach + quiet, n - 1))
    small = np.abs(rho) < 2 * math.sqrt(math.log10(n) / n)
    runs = [lag for lag in range(len(small) - quiet + 1) if small[lag : lag + quiet].all()]
    last = runs[0] if runs else len(rho)  # lags up to here matter
    if last == 0:
        return 1
    lags = np.arange(1, min(2 * last, len(rho)) + 1)
    weights = np.clip(2 * (1 - lags / (2 * last)), 0.0, 1.0)  # flat top
    covariance = weights * rho[: len(lags)]
    long_run, slope = 1 + 2 * covariance.sum(), 2 * (lags * covariance).sum()
    if long_run <= 0:
        return 1
    best = (2 * slope**2 / (4 / 3 * long_run**2)) ** (1 / 3) * n ** (1 / 3)
    return int(min(max(1, math.ceil(best)), math.ceil(min(3 * math.sqrt(n), n / 3))))
