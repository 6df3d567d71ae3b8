"""Bounds from a service's own history: how often would they have alarmed, and what may be expected of them.

Features move with hour, weekday and season. A bound that ought to alarm only now and then has to know how far they move
when nothing is wrong: from measurements of months in which nothing was. Windows that follow each other tell much the same,
so the history is drawn again in blocks that are longer than what they have in common.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from weir.monitor.dependence import block_length

Floats = npt.NDArray[np.float64]

MONTH_S: Final = 30 * 86_400
DRAWS: Final = 400
CAUTIOUS: Final = 0.9  # of the drawn histories, this share alarms at most as often as is wanted
SPREAD: Final = (0.05, 0.95)  # ends of the interval of expected alarms
BLOCKS: Final = 10  # at least so many, else drawing them again says little
EXPECTED: Final = 1.0  # false alarms that a history of its length holds at the wanted rate, at least
NORMAL: Final = 1.4826  # a standard deviation, in median absolute deviations


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Figures of one monitor without known faults: windows of step_s seconds, one after the other.

    values: float64[windows, subjects]; NaN where a window said nothing. rising: whether large figures are bad.
    """

    subjects: tuple[str, ...]
    values: Floats
    step_s: int
    rising: bool = True

    @property
    def months(self) -> float:
        """How long it is."""
        return len(self.values) * self.step_s / MONTH_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """Bounds by subject, and the alarms a month that may be expected of them all together, with an interval.

    An alarm is a run of windows in which any subject is beyond its bound. before_a_month: the same with the bound that
    the monitor has for all subjects. block: windows of a block. too_little: what the history lacks; empty: nothing.
    """

    bounds: Mapping[str, float]
    a_month: float
    low: float
    high: float
    before_a_month: float
    windows: int
    block: int
    too_little: str = ""


def calibrate(history: History, bound: float, wanted_a_month: float, rng: np.random.Generator) -> Calibrated:
    """Bounds with which all subjects together alarm at most `wanted_a_month` times, where the future is like the past.

    bound: the monitor's own, of all subjects. No calibrated bound is closer than the subject's own median allows: it lies
    the same number of (robust) standard deviations away from it for every subject.
    """
    values = history.values if history.rising else -history.values
    own = bound if history.rising else -bound
    per_month = MONTH_S / history.step_s
    before = _alarms(np.nan_to_num(values, nan=-math.inf).max(axis=1, initial=-math.inf) > own)
    before_a_month = before / max(history.months, 1e-9)
    middle, spread = _middle_and_spread(values)
    worst = _worst((values - middle) / spread)
    block = block_length(worst) if len(worst) else 1
    lacking = _lacking(len(worst), block, history.months, wanted_a_month)
    if lacking:
        everywhere = dict.fromkeys(history.subjects, bound)
        return Calibrated(
            bounds=everywhere,
            a_month=before_a_month,
            low=math.nan,
            high=math.nan,
            before_a_month=before_a_month,
            windows=len(worst),
            block=block,
            too_little=lacking,
        )
    drawn = worst[_blocks(len(worst), block, rng)]
    allowed = wanted_a_month * len(worst) / per_month
    factor = float(np.quantile([_least(one, allowed) for one in drawn], CAUTIOUS))
    alarms = np.array([_alarms(one > factor) for one in drawn]) * per_month / len(worst)
    low, high = np.quantile(alarms, SPREAD)
    found = middle + factor * spread
    return Calibrated(
        bounds=dict(zip(history.subjects, (found if history.rising else -found).tolist(), strict=True)),
        a_month=float(alarms.mean()),
        low=float(low),
        high=float(high),
        before_a_month=before_a_month,
        windows=len(worst),
        block=block,
    )


def _middle_and_spread(values: Floats) -> tuple[Floats, Floats]:
    """Median of each subject, and its standard deviation as half of its windows tell it; of a constant, next to none."""
    middle = np.array([np.median(column[~np.isnan(column)]) if (~np.isnan(column)).any() else 0.0 for column in values.T])
    apart = np.abs(values - middle)
    spread = np.array([np.median(column[~np.isnan(column)]) if (~np.isnan(column)).any() else 0.0 for column in apart.T])
    return middle, np.maximum(NORMAL * spread, 1e-9 + 1e-6 * np.abs(middle))


def _worst(scores: Floats) -> Floats:
    """The greatest score of each window that said anything."""
    said = ~np.isnan(scores).all(axis=1)
    return np.nanmax(scores[said], axis=1) if said.any() else np.empty(0)


def _lacking(windows: int, block: int, months: float, wanted_a_month: float) -> str:
    """What a history lacks; empty where it is enough."""
    needed = max(BLOCKS * block, math.ceil(windows / max(months, 1e-9) * EXPECTED / wanted_a_month) if windows else 1)
    if windows >= needed:
        return ""
    return f"{windows:,} windows say something, and {needed:,} are needed for {wanted_a_month:g} alarms a month"


def _blocks(n: int, block: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Histories drawn again: indices [DRAWS, n], blocks one after the other, of a ring. Source: Politis & Romano 1992."""
    starts = rng.integers(0, n, (DRAWS, math.ceil(n / block)))
    found = (starts[:, :, None] + np.arange(block)) % n
    return found.reshape(DRAWS, -1)[:, :n]


def _alarms(beyond: npt.NDArray[np.bool_]) -> int:
    """Runs of windows beyond the bound."""
    return int(np.count_nonzero(beyond[1:] & ~beyond[:-1])) + bool(len(beyond) and beyond[0])


def _least(scores: Floats, allowed: float) -> float:
    """The least bound that is crossed in at most `allowed` runs, and so is every greater one."""
    levels = np.unique(scores)[::-1]
    low, high = 0, len(levels) - 1  # at the greatest level nothing is beyond
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _most(scores, levels[: middle + 1]) <= allowed else (low, middle - 1)
    return float(levels[low])


def _most(scores: Floats, levels: Sequence[float] | Floats) -> int:
    return _alarms(scores > levels[-1])
