"""Evidence against "nothing has changed" that may be looked at after every window, for ever.

An e-value is a number whose mean is at most 1 where nothing has changed: the capital of somebody who bets on a change.
All here are natural logarithms, since evidence of a real change leaves the range of floats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEAST_LOG_P: Final = -690.0  # below it a float has no p-value but 0
STAKES: Final = (0.05, 0.1, 0.2, 0.4, 0.8)


def log_e_of_p(p: npt.ArrayLike) -> Floats:
    """An e-value of a p-value: 0.5 / sqrt(p). Source: Vovk & Wang, E-values: calibration and combination, 2021.

    >>> np.exp(log_e_of_p([0.05, 0.01])).round(4).tolist()
    [2.2361, 5.0]
    """
    given = np.asarray(p, float)
    log_p = np.where(given > 0, np.log(np.where(given > 0, given, 1.0)), LEAST_LOG_P)
    log_e: Floats = np.log(0.5) - 0.5 * np.where(np.isnan(given), np.nan, log_p)
    return log_e


def log_e_of_p_mixed(p: npt.ArrayLike) -> Floats:
    """An e-value of a p-value in (0, 1): (1 - p + p ln p) / (p ln^2 p), the mean of k p^(k-1) over k. Same source."""
    given = np.asarray(p, float)
    log_p = np.log(given)
    log_e: Floats = np.log(1 - given + given * log_p) - log_p - 2 * np.log(-log_p)
    return log_e


def shiryaev_roberts(log_m: npt.ArrayLike, log_e: npt.ArrayLike) -> Floats:
    """One step of an e-detector: M = (1 + M) e, which bets on a change anew at each step. At first M = 0, log_m -inf.

    The mean number of steps until M >= A is at least A where nothing changes, and so it is for a mean of such M,
    whatever depends on whatever. Source: Shin, Ramdas & Rinaldo, E-detectors, arXiv 2203.03532.
    """
    after: Floats = np.logaddexp(0.0, log_m) + np.asarray(log_e, float)
    return after


def cusum(log_m: npt.ArrayLike, log_e: npt.ArrayLike) -> Floats:
    """The same with M = max(1, M) e: it remembers less, and says when the change began. Same source."""
    after: Floats = np.maximum(0.0, log_m) + np.asarray(log_e, float)
    return after


def log_e_of_rate(bad: npt.ArrayLike, n: npt.ArrayLike, allowed: float) -> Floats:
    """Evidence that more than a share `allowed` of rows is bad, from the counts of all rows so far.

    A mean of likelihood ratios for rates of 1.5 to 200 times `allowed`.

    >>> log_e_of_rate([3, 10], 1000, 0.001).round(6).tolist()
    [0.325471, 12.315768]
    """
    k, rows = np.asarray(bad, float), np.asarray(n, float)
    rates = np.minimum(allowed * np.array([1.5, 2, 4, 10, 40, 200]), 0.99)
    logs = [k * np.log(p / allowed) + (rows - k) * (np.log1p(-p) - np.log1p(-allowed)) for p in rates]
    return _mean(np.stack(logs))


def log_e_of_mean(values: npt.ArrayLike, null: float = 0.0, stakes: tuple[float, ...] = (0.025, *STAKES)) -> Floats:
    """Evidence that the mean of values in [-1, 1] is above `null`, after each of them: a mean over stakes. float64[n].

    Source: Waudby-Smith & Ramdas, Estimating means of bounded random variables by betting, arXiv 2010.09686.
    """
    scaled = (np.asarray(values, float) - null) / (1 + abs(null))
    return _mean(np.stack([np.cumsum(np.log1p(stake * scaled)) for stake in stakes]))


@dataclass(frozen=True, slots=True)
class TwoSided:
    """An e-detector for the mean of values in [-1, 1] leaving [-tolerance, tolerance], to either side.

    up, down: log M for each stake, float64[stakes]. Values are means of blocks long enough not to depend on each other.
    """

    tolerance: float
    up: Floats
    down: Floats

    @staticmethod
    def new(tolerance: float) -> TwoSided:
        """One that has seen nothing."""
        nothing = np.full(len(STAKES), -np.inf)
        return TwoSided(tolerance, nothing, nothing)

    def after(self, value: float) -> TwoSided:
        """What it is when it has seen one more; what lies outside [-1, 1] counts as 1."""
        seen, stakes = min(max(value, -1.0), 1.0), np.array(STAKES)

        def step(log_m: Floats, seen: float) -> Floats:
            return shiryaev_roberts(log_m, np.log1p(stakes * (seen - self.tolerance) / (1 + self.tolerance)))

        return TwoSided(self.tolerance, step(self.up, seen), step(self.down, -seen))

    @property
    def log_m(self) -> float:
        """What is compared with the logarithm of the average run length."""
        return float(_mean(np.concatenate([self.up, self.down])))


def _mean(logs: Floats) -> Floats:
    """log of the mean of exp(logs) over the first axis."""
    mean: Floats = np.logaddexp.reduce(logs, axis=0) - np.log(len(logs))
    return mean
