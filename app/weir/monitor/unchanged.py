"""How large distances between histograms are though nothing has changed: a rule of thumb knows no sample size.

With B bins, n rows in the window and m in the reference, PSI * nm/(n+m) is chi-square with B - 1 degrees of freedom
where nothing has changed, and so is 8 * JSD * nm/(n+m), JSD being Jensen-Shannon's divergence in nats (the distance is
its root).
Source: Yurdakul, Statistical Properties of the Population Stability Index, 2018; Menendez et al. 1997 for JSD.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from weir.monitor import chi_square
from weir.monitor.chi_square import Floats

JSD: Final = 8.0  # JSD times this is what PSI is, where nothing has changed


def expected_psi(bins: int, n: float, m: float) -> float:
    """Mean of PSI where nothing has changed.

    >>> round(expected_psi(10, 100, 10_000), 4)
    0.0909
    """
    return (bins - 1) * (1 / n + 1 / m)


def critical_psi(bins: int, n: float, m: float, alpha: float) -> float:
    """What PSI exceeds with probability alpha where nothing has changed.

    >>> round(critical_psi(10, 100, 10_000, 0.01), 3)
    0.219
    """
    return (1 / n + 1 / m) * chi_square.isf(alpha, bins - 1)


def log_p_of_psi(psi: npt.ArrayLike, bins: npt.ArrayLike, n: npt.ArrayLike, m: npt.ArrayLike) -> Floats:
    """Natural logarithm of the probability of such a PSI, or a larger one, where nothing has changed; broadcast."""
    n, m = np.asarray(n, float), np.asarray(m, float)
    return chi_square.log_sf(np.asarray(psi, float) * n * m / (n + m), np.asarray(bins, float) - 1)
