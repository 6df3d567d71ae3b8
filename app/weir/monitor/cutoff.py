"""The threshold that would have cost least: of a miss, a false alarm, and as many alerts as can be looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

DAYS: Final = 14  # whole days that are needed: fewer do not tell how days differ
LEVEL: Final = 0.95  # of intervals
OVER: Final = 0.05  # share of days on which there may be more alerts than can be looked at
DRAWS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """Whole days d in their order, by bins b of the score from low to high.

    scores: the least score of each bin, [b]. rows: predictions, positives, negatives: those that came true or not,
    [d, b].
    """

    scores: Floats
    rows: Floats
    positives: Floats
    negatives: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A threshold, and what it would save a day against the one in use. threshold: inf for flagging nothing.

    low, high: of the threshold, saving_low, saving_high: of the saving, at LEVEL. saving: of days that the threshold
    was not chosen on, by the mean of the draws. cost, present_cost: a day, of those days that it was chosen on.
    alerts: a day. doubts: why it cannot be told; empty where it can.
    """

    threshold: float
    low: float
    high: float
    cost: float
    present_cost: float
    saving: float
    saving_low: float
    saving_high: float
    alerts: float
    days: int
    doubts: tuple[str, ...]


def suggest(
    of: Days, *, miss: float, false_alarm: float, present: float, capacity: float, chance: np.random.Generator
) -> Suggestion:
    """The threshold of least cost, ties to the higher one.

    miss, false_alarm: what one of each costs. present: the threshold in use. capacity: alerts a day that can be looked
    at, inf for any number: more may come on `OVER` of the days.
    Source: moving blocks of days, drawn anew (Kunsch 1989), as long as the cube root of their number; a saving is
    judged on the days that a draw left out (Efron and Tibshirani 1997).
    """
    thresholds = np.append(of.scores, math.inf)
    cost = miss * _below(of.positives) + false_alarm * _from(of.negatives)
    alerts = _from(of.rows)
    over = (alerts > capacity).astype(np.float64)
    days = len(cost)
    if days == 0 or not of.positives.sum() or not of.negatives.sum():
        what = "no day" if days == 0 else "one class alone came true on the days"
        return _nothing(days, f"{what} whose outcomes are known: there is nothing to weigh")
    used = int(np.searchsorted(of.scores, present))
    best = _best(np.ones((1, days)), cost, over)[0]
    drawn = _drawn(days, chance)
    found = _best(drawn, cost, over)
    out = (drawn == 0).astype(np.float64)
    there = out.sum(1) > 0
    saved = (out @ (cost[:, [used]] - cost))[np.arange(DRAWS), found][there] / out.sum(1)[there]
    tails = (1 - LEVEL) / 2, (1 + LEVEL) / 2
    low, high = thresholds[np.quantile(found, tails, method="nearest").astype(int)]
    saving_low, saving_high = np.quantile(saved, tails) if len(saved) else (math.nan, math.nan)
    doubts = []
    if days < DAYS:
        doubts.append(f"{days} days have their outcomes, {DAYS} are needed")
    if best != used and not saving_low > 0:
        doubts.append(f"whether it costs less than {present:g} on days that it was not chosen on is not certain")
    return Suggestion(
        threshold=float(thresholds[best]),
        low=float(low),
        high=float(high),
        cost=float(cost[:, best].mean()),
        present_cost=float(cost[:, used].mean()),
        saving=float(np.mean(saved)) if len(saved) else math.nan,
        saving_low=float(saving_low),
        saving_high=float(saving_high),
        alerts=float(alerts[:, best].mean()),
        days=days,
        doubts=tuple(doubts),
    )


def _below(counts: Floats) -> Floats:
    """Counts below each threshold, [d, b + 1]; the last threshold is above all."""
    return np.concatenate([np.zeros((len(counts), 1)), np.cumsum(counts, axis=1)], axis=1)


def _from(counts: Floats) -> Floats:
    """Counts from each threshold on, [d, b + 1]."""
    return np.asarray(counts.sum(1, keepdims=True) - _below(counts))


def _best(weights: Floats, cost: Floats, over: Floats) -> npt.NDArray[np.intp]:
    """The place of the best threshold of each row of day weights, [r]. The one that flags nothing is always allowed."""
    total = weights @ cost
    total[weights @ over > OVER * weights.sum(1, keepdims=True)] = math.inf
    return np.asarray(total.shape[1] - 1 - np.argmin(total[:, ::-1], axis=1))


def _drawn(days: int, chance: np.random.Generator) -> Floats:
    """How often each day is in each draw, [DRAWS, days]: blocks of days that follow one another, around the end."""
    length = max(1, round(days ** (1 / 3)))
    blocks = math.ceil(days / length)
    begins = chance.integers(0, days, (DRAWS, blocks))
    at = ((begins[:, :, None] + np.arange(length)) % days).reshape(DRAWS, -1)[:, :days]
    counts = np.zeros((DRAWS, days))
    np.add.at(counts, (np.arange(DRAWS)[:, None], at), 1)
    return counts


def _nothing(days: int, doubt: str) -> Suggestion:
    figures = ("threshold", "low", "high", "cost", "present_cost", "saving", "saving_low", "saving_high", "alerts")
    return Suggestion(**dict.fromkeys(figures, math.nan), days=days, doubts=(doubt,))
