"""Bounds from a service's own history: how often would they have alarmed, and what may be expected of them.

Features move with hour, weekday and season. A bound that ought to alarm only now and then has to know how far they move
when nothing is wrong: from measurements of months in which nothing was. Windows that follow each other tell much the
same, so the history is drawn again in blocks that are longer than what they have in common.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
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
EXPECTED: Final = 2.0  # false alarms that the history ought to hold at the wanted rate, at least
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

    bound: the monitor's own, of all subjects. A calibrated one lies as many (robust) standard deviations from its
    subject's median as that of every other subject. Where the history is too short, the bounds are the monitor's own.
    """
    values = history.values if history.rising else -history.values
    own = bound if history.rising else -bound
    per_month = MONTH_S / history.step_s
    beyond: npt.NDArray[np.bool_] = np.any(np.nan_to_num(values, nan=-math.inf) > own, axis=1)
    before_a_month = _alarms(beyond) * per_month / max(len(values), 1)
    middle, spread = _middle_and_spread(values)
    worst = _worst((values - middle) / spread)
    block = block_length(worst) if len(worst) else 1
    lacking = _lacking(len(worst), block, per_month, wanted_a_month)
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
    """Median of each subject, and the standard deviation that half of its windows tell; of a constant, next to none."""
    middle = _medians(values)
    return middle, np.maximum(NORMAL * _medians(np.abs(values - middle)), 1e-9 + 1e-6 * np.abs(middle))


def _medians(values: Floats) -> Floats:
    """Of each column, what is not NaN; 0 of a column without anything."""
    said = [column[~np.isnan(column)] for column in values.T]
    return np.array([np.median(column) if len(column) else 0.0 for column in said])


def _worst(scores: Floats) -> Floats:
    """The greatest score of each window that said anything."""
    said = scores[~np.isnan(scores).all(axis=1)]
    return np.nanmax(said, axis=1) if said.size else np.empty(0)


def _lacking(windows: int, block: int, per_month: float, wanted_a_month: float) -> str:
    """What a history lacks; empty where it is enough."""
    needed = max(BLOCKS * block, math.ceil(EXPECTED * per_month / wanted_a_month))
    if windows >= needed:
        return ""
    return f"{windows:,} windows say something, and {needed:,} are needed for {wanted_a_month:g} false alarms a month"


def _blocks(n: int, block: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Histories drawn again: indices [DRAWS, n], in blocks, of a ring. Source: Politis & Romano 1992."""
    starts = rng.integers(0, n, (DRAWS, math.ceil(n / block)))
    found: npt.NDArray[np.intp] = (starts[:, :, None] + np.arange(block)) % n
    return found.reshape(DRAWS, -1)[:, :n]


def _alarms(beyond: npt.NDArray[np.bool_]) -> int:
    """Runs of windows beyond the bound."""
    return int(np.count_nonzero(np.diff(beyond.astype(np.int8), prepend=0) > 0))


def _least(scores: Floats, allowed: float) -> float:
    """The least bound beyond which there are at most `allowed` runs, as there are beyond every greater one.

    Windows are put beyond it one by one, the greatest first: each begins a run, and each pair of neighbours that meets
    makes two runs one.
    """
    order = np.argsort(-scores, kind="stable")
    place = np.empty(len(scores), np.intp)
    place[order] = np.arange(len(scores))
    met = np.bincount(np.maximum(place[1:], place[:-1]), minlength=len(scores))
    runs = np.arange(1, len(scores) + 1) - np.cumsum(met)
    too_many = np.flatnonzero(runs > allowed)
    return float(scores[order[too_many[0] if len(too_many) else -1]])
