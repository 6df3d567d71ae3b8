"""Many questions at once: which of them may be called answered."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def benjamini_hochberg(p: npt.ArrayLike) -> Floats:
    """n p-values, corrected: those at most q are false for a share of at most q of them. NaN is no question.

    Source: Benjamini & Hochberg 1995, as scipy.stats.false_discovery_control does it.

    >>> benjamini_hochberg([0.01, 0.04, 0.03, np.nan]).tolist()
    [0.03, 0.04, 0.04, nan]
    """
    given = np.asarray(p, float)
    adjusted = np.full(given.shape, np.nan)
    asked = np.flatnonzero(~np.isnan(given))
    order = asked[np.argsort(given[asked], kind="stable")]
    stepped = given[order] * len(order) / np.arange(1, len(order) + 1)
    adjusted[order] = np.minimum(np.minimum.accumulate(stepped[::-1])[::-1], 1.0)
    return adjusted


def e_bh(log_e: npt.ArrayLike, alpha: float) -> npt.NDArray[np.bool_]:
    """Which of n hypotheses are rejected by their e-values.

    They are the k with the largest e, for the greatest k with e_(k) >= n / (alpha k).
    log_e: natural logarithms; NaN is no hypothesis. Whatever depends on whatever, at most a share alpha is false.
    Where any is rejected, the mean of all e is at least 1 / alpha. Source: Wang & Ramdas 2022, arXiv 2009.02824.

    >>> e_bh(np.log([1000, 400, 90, 60, 20, 1, 0.5, 0.1]), 0.05).tolist()
    [True, True, True, True, False, False, False, False]
    """
    given = np.asarray(log_e, float)
    asked = ~np.isnan(given)
    order = np.flatnonzero(asked)[np.argsort(-given[asked], kind="stable")]
    needed = -np.log(alpha) - np.log(np.arange(1, len(order) + 1) / max(len(order), 1))
    enough = np.flatnonzero(given[order] >= needed)
    rejected = np.zeros(given.shape, np.bool_)
    rejected[order[: enough[-1] + 1 if len(enough) else 0]] = True
    return rejected
