"""Whether a learner is proven better than the champion, on the same requests, day by day.

A day counts when it is closed: its outcomes have had their time. What comes first is no sample of what will come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from weir.learn.days import DAY_MS, GOOD, Day
from weir.learn.learner import LEARNER, Terms
from weir.learn.model import Flags
from weir.monitor import paired
from weir.monitor.paired import Advantage

HOUR_MS: Final = 3_600_000


class Verdict(StrEnum):
    """What a figure says of a learner beside another."""

    BETTER = "better"
    WORSE = "worse"
    UNDECIDED = "undecided"


class Word(StrEnum):
    """What is proposed. keep: the champion is proven to be better."""

    PROMOTE = "promote"
    KEEP = "keep"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """The learner beside another by one figure. better_by: mean over requests, of AUC over days; below 0 it is worse.

    low, high: of the interval, None before enough days. since_ms: when the verdict was first seen, to hold without a
    break; None while it is undecided.
    """

    figure: str
    against: str
    better_by: float
    low: float | None
    high: float | None
    days: int
    autocorrelation: float
    verdict: Verdict
    since_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What closed days say. days, requests: that count. why: what keeps it from being promoted, as clauses."""

    figures: tuple[Figure, ...]
    word: Word
    since_ms: int | None
    why: tuple[str, ...]
    days: int
    requests: int
    begin_ms: int | None
    end_ms: int | None


def compared(
    days: Sequence[Day], terms: Terms, *, until_ms: int, stopped: bool, champion: str, baselines: Sequence[str]
) -> Comparison:
    """A learner beside the champion, by all figures, and beside the baselines by the first one, which decides.

    days: in their order. until_ms: up to when outcomes are known. stopped: a guard has stopped it.
    """
    closings = [closing_of(day.begin_ms, terms) for day in days]
    of = [(day, at) for day, at in zip(days, closings, strict=True) if day.known >= terms.warm_up and at <= until_ms]
    counted, closed = [day for day, _ in of], [at for _, at in of]
    names = list(dict.fromkeys(name for day in counted for name in day.figures))
    asked = [(name, champion) for name in names] + [(name, other) for name in names[:1] for other in baselines]
    found = {pair: _advantage(counted, *pair, terms.alpha) for pair in asked}
    better = {pair: one.low > (terms.margin if pair[0] == names[0] else 0) for pair, one in found.items()}
    worse = {pair: one.high < 0 for pair, one in found.items()}
    figures = tuple(_figure(pair, found[pair], better[pair], worse[pair], closed) for pair in asked)
    word, held = _word(asked, better, worse, len(counted), stopped=stopped)
    since = paired.since(held)
    return Comparison(
        figures=figures,
        word=word,
        since_ms=None if since is None or word is Word.UNDECIDED else closed[since],
        why=() if word is Word.PROMOTE else _why(figures, champion, len(counted), stopped=stopped),
        days=len(counted),
        requests=sum(day.requests for day in counted),
        begin_ms=counted[0].begin_ms if counted else None,
        end_ms=counted[-1].begin_ms + DAY_MS if counted else None,
    )


def closing(served_ms: npt.NDArray[np.int64], terms: Terms) -> npt.NDArray[np.int64]:
    """When the days of requests are closed: int64[n], ms; served_ms: int64[n]."""
    return (served_ms // DAY_MS + 1) * DAY_MS + int(terms.wait_h * HOUR_MS)


def closing_of(begin_ms: int, terms: Terms) -> int:
    """When the day that begins so is closed."""
    return int(closing(np.array([begin_ms], np.int64), terms)[0])


def _advantage(days: Sequence[Day], name: str, other: str, alpha: float) -> Advantage:
    parts = [day.figures.get(name) for day in days]
    n = np.array([0.0 if part is None else part.weight for part in parts])
    signs = 1.0 if name in GOOD else -1.0
    total = np.array([0.0 if part is None else signs * (part.sums[LEARNER] - part.sums[other]) for part in parts])
    return paired.advantage(n, total, alpha)


def _figure(pair: tuple[str, str], of: Advantage, better: Flags, worse: Flags, closed: Sequence[int]) -> Figure:
    verdict = Verdict.BETTER if better[-1] else Verdict.WORSE if worse[-1] else Verdict.UNDECIDED
    since = paired.since(better if verdict is Verdict.BETTER else worse)
    low, high = float(of.low[-1]), float(of.high[-1])
    return Figure(
        figure=pair[0],
        against=pair[1],
        better_by=float(of.mean[-1]),
        low=low if np.isfinite(low) else None,
        high=high if np.isfinite(high) else None,
        days=of.days,
        autocorrelation=of.autocorrelation,
        verdict=verdict,
        since_ms=None if since is None else closed[since],
    )


def _word(
    asked: Sequence[tuple[str, str]],
    better: Mapping[tuple[str, str], Flags],
    worse: Mapping[tuple[str, str], Flags],
    days: int,
    *,
    stopped: bool,
) -> tuple[Word, Flags]:
    """What is proposed, and of each day whether it was.

    It is promoted where the first figure is better than the champion's and the baselines', and none is worse.
    """
    if not days:
        return Word.UNDECIDED, np.zeros(0, bool)
    first = [pair for pair in asked if pair[0] == asked[0][0]]
    promoted = np.all([better[pair] for pair in first], axis=0) & ~np.any([worse[pair] for pair in asked], axis=0)
    if promoted[-1] and not stopped:
        return Word.PROMOTE, promoted
    return (Word.KEEP if worse[asked[0]][-1] else Word.UNDECIDED), worse[asked[0]]


def _why(figures: Sequence[Figure], champion: str, days: int, *, stopped: bool) -> tuple[str, ...]:
    """What keeps it from being promoted."""
    why = ["a guard has stopped it"] if stopped else []
    if days < paired.LEAST:
        why.append(f"{days} days are closed, of {paired.LEAST} before the first look")
    for one in figures:
        name = one.figure.replace("_", " ")
        if one.verdict is Verdict.WORSE:
            why.append(f"by {name} it is worse than {one.against}")
        elif one.verdict is Verdict.UNDECIDED and one.figure == figures[0].figure and one.low is not None:
            why.append(f"by {name} it is not surely better than {one.against}")
    return tuple(why)
