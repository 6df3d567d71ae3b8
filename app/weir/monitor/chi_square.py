"""The chi-square distribution, without SciPy: a worker loads none."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

TINY: Final = 1e-300
PRECISE: Final = 1e-15
STEPS: Final = 100_000  # of a series or fraction; about five times the root of dof is enough
HALVINGS: Final = 200  # of a bracket: until two neighbouring doubles are left


def log_sf(x: npt.ArrayLike, dof: npt.ArrayLike) -> Floats:
    """Natural logarithm of P(X > x) of chi-square with `dof` degrees of freedom; exact where P itself is 0 as a float.

    x, dof: broadcast; of x below 0 the probability is 1. dof > 0, not whole numbers alone.
    Source: DLMF 8.7.1 (series below x = dof + 2) and 8.9.2 (continued fraction above), for Q(dof/2, x/2).

    >>> round(float(np.exp(log_sf(3.841458820694124, 1))), 12), round(float(log_sf(5000.0, 9)), 6)
    (0.05, -2475.068175)
    """
    half, shape = np.broadcast_arrays(np.asarray(x, float) / 2, np.asarray(dof, float) / 2)
    found = np.zeros(half.shape)
    low, high = (half > 0) & (half < shape + 1), (half > 0) & (half >= shape + 1)
    if low.any():
        found[low] = np.log1p(-np.exp(_log_series(half[low], shape[low])))
    if high.any():
        found[high] = _log_fraction(half[high], shape[high])
    found[np.isnan(half)] = np.nan
    return found


def isf(p: float, dof: float) -> float:
    """The x with P(X > x) = p, for 0 < p <= 1.

    >>> round(isf(0.001, 9), 10)
    27.8771648713
    """
    wanted, low, high = math.log(p), 0.0, max(dof, 1.0)
    while log_sf(high, dof) > wanted:
        high *= 2
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if log_sf(middle, dof) > wanted else (low, middle)
    return high


def _log_series(x: Floats, a: Floats) -> Floats:
    """log P(a, x) by its power series."""
    term = total = 1 / a
    for step in range(1, STEPS):
        term = term * x / (a + step)
        total = total + term
        if np.all(term < total * PRECISE):
            break
    return _log_front(x, a) + np.log(total)


def _log_fraction(x: Floats, a: Floats) -> Floats:
    """log Q(a, x) by its continued fraction, after Lentz."""
    b = x + 1 - a
    c = np.full_like(x, 1 / TINY)
    d = 1 / b
    h = d
    for step in range(1, STEPS):
        numerator = -step * (step - a)
        b = b + 2
        d = 1 / _away(numerator * d + b)
        c = _away(b + numerator / c)
        h = h * d * c
        if np.all(np.abs(d * c - 1) < PRECISE):
            break
    return _log_front(x, a) + np.log(h)


def _log_front(x: Floats, a: Floats) -> Floats:
    front: Floats = a * np.log(x) - x - _log_gamma(a)
    return front


def _away(x: Floats) -> Floats:
    """From 0, by which is divided."""
    return np.where(np.abs(x) < TINY, TINY, x)


_log_gamma = np.vectorize(math.lgamma, otypes=[float])
