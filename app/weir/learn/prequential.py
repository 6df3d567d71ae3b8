"""How good answers were that were given before their outcomes were known, by month and in all.

Sums run row by row, so that where rows are cut changes no bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, Protocol, Self

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from weir.core.signature import Task
from weir.learn.days import ABSOLUTE, ACCURACY, AUC, BRIER, DAY_MS, LOG_LOSS, SQUARED, VALUE, Day, Part
from weir.learn.learner import Subject
from weir.learn.model import Floats

ALL: Final = "all"
CLIP: Final = 1e-6  # a chance of 0 or 1 that is wrong would cost without end
SHIFT: Final = 14  # bits of a float32 that bins leave out: they are a 512th of a chance wide
HALF: Final = int(np.float32(0.5).view(np.int32)) >> SHIFT
BINS: Final = 2 * HALF + 1
WAITING: Final = 1 << 19  # rows, 4 MiB: more are counted
Whole = npt.NDArray[np.int64]
Answers = Mapping[str, Floats]  # by who answers
NO_WORTH: Final[Answers] = {}


class Figures(Protocol):
    """Sums over rows of one who answers. n: rows."""

    n: int

    def add(self, said: Floats, y: Floats) -> None:
        """Rows more: said float64[n, m], y float64[n]."""

    def merge(self, other: Self) -> None:
        """All that another one has."""

    def told(self) -> dict[str, float]:
        """The figures by name."""

    def parts(self) -> dict[str, tuple[float, float]]:
        """Of those that are compared by days the weight and the sum, first the one that decides; see days."""


def _sum(total: float, values: Floats) -> float:
    return float(np.cumsum(np.concatenate([[total], values]))[-1])


def chance_bins(chances: Floats) -> Whole:
    """The bin of each chance, ascending; as fine near 1 as near 0.

    >>> chance_bins(np.array([0.0, 0.25, 0.5, 0.75, 1.0])).tolist()
    [0, 64000, 64512, 65024, 129024]
    """
    low = np.where(chances <= 0.5, chances, 1 - chances).astype(np.float32)
    found = low.view(np.int32).astype(np.int64) >> SHIFT
    return np.where(chances <= 0.5, found, 2 * HALF - found)


class Chances(Figures):
    """Of two classes: log loss, Brier score, and the area under the ROC curve by bins. No opinion is one half.

    Bins of few rows are kept row by row: a day has a thousand requests, and 129,025 bins.
    """

    def __init__(self) -> None:
        self.n, self.loss, self.brier = 0, 0.0, 0.0
        self._bins: Whole | None = None  # counts by class and bin, where there are many rows
        self._rows: list[Whole] = []  # twice the bin and the class, of rows that are not counted yet
        self._waiting = 0

    @override
    def add(self, said: Floats, y: Floats) -> None:
        chances = np.where(np.isnan(said[:, 0]), 0.5, said[:, 0])
        clipped = np.clip(chances, CLIP, 1 - CLIP)
        self.n += len(y)
        self.loss = _sum(self.loss, -np.log(np.where(y > 0, clipped, 1 - clipped)))
        self.brier = _sum(self.brier, (chances - y) ** 2)
        self._wait([2 * chance_bins(chances) + (y > 0)])

    @override
    def merge(self, other: Self) -> None:
        self.n, self.loss, self.brier = self.n + other.n, self.loss + other.loss, self.brier + other.brier
        if other._bins is not None:
            self._bins = other._bins if self._bins is None else self._bins + other._bins
        self._wait(other._rows)

    @override
    def told(self) -> dict[str, float]:
        return {"log_loss": self.loss / self.n, "brier": self.brier / self.n, "auc": self._auc()}

    @override
    def parts(self) -> dict[str, tuple[float, float]]:
        area = self._auc()
        found = {LOG_LOSS: (float(self.n), self.loss), BRIER: (float(self.n), self.brier)}
        return found if math.isnan(area) else found | {AUC: (1.0, area)}

    def _wait(self, rows: Sequence[Whole]) -> None:
        self._rows += rows
        self._waiting += sum(map(len, rows))
        if self._waiting > WAITING:
            counted = np.bincount(np.concatenate(self._rows), minlength=2 * BINS)
            self._bins = counted if self._bins is None else self._bins + counted
            self._rows, self._waiting = [], 0

    def _auc(self) -> float:
        codes, counts = np.unique(np.concatenate([*self._rows, np.zeros(0, np.int64)]), return_counts=True)
        if self._bins is None:
            places, where = np.unique(codes >> 1, return_inverse=True)
            found = np.zeros((len(places), 2), np.int64)
            found[where, codes & 1] = counts
        else:
            found = self._bins.reshape(BINS, 2).copy()
            found[codes >> 1, codes & 1] += counts
        return auc(found[:, 0], found[:, 1])


def auc(negatives: Whole, positives: Whole) -> float:
    """Area under the ROC curve of counts by score, ascending; ties count half. NaN where one of the classes lacks.

    >>> auc(np.array([2, 1, 0]), np.array([0, 1, 2]))
    0.9444444444444444
    """
    pairs = int(negatives.sum()) * int(positives.sum())
    below = np.cumsum(negatives) - negatives
    twice = int((positives * (2 * below + negatives)).sum())
    return twice / (2 * pairs) if pairs else float("nan")


class Classes(Figures):
    """Of several classes: log loss, Brier score, accuracy, and F1 as the mean over the classes that came true.

    No opinion is the same chance for each.
    """

    def __init__(self, classes: int) -> None:
        self.n, self.loss, self.brier = 0, 0.0, 0.0
        self.counts = np.zeros((classes, classes), np.int64)  # true class, class of the highest chance

    @override
    def add(self, said: Floats, y: Floats) -> None:
        k = len(self.counts)
        chances, true = np.where(np.isnan(said), 1 / k, said), y.astype(np.int64)
        self.n += len(y)
        own = np.take_along_axis(chances, true[:, None], 1)[:, 0]
        self.loss = _sum(self.loss, -np.log(np.clip(own, CLIP, 1)))
        self.brier = _sum(self.brier, ((chances - (np.arange(k) == true[:, None])) ** 2).sum(1))
        self.counts += np.bincount(true * k + chances.argmax(1), minlength=k * k).reshape(k, k)

    @override
    def merge(self, other: Self) -> None:
        self.n, self.loss, self.brier = self.n + other.n, self.loss + other.loss, self.brier + other.brier
        self.counts += other.counts

    @override
    def told(self) -> dict[str, float]:
        right, there = np.diag(self.counts), self.counts.sum(1)
        f1 = 2 * right / np.maximum(there + self.counts.sum(0), 1)
        return {
            "log_loss": self.loss / self.n,
            "brier": self.brier / self.n,
            "accuracy": int(right.sum()) / self.n,
            "macro_f1": float(f1[there > 0].mean()),
        }

    @override
    def parts(self) -> dict[str, tuple[float, float]]:
        n = float(self.n)
        return {LOG_LOSS: (n, self.loss), BRIER: (n, self.brier), ACCURACY: (n, float(np.trace(self.counts)))}


class Numbers(Figures):
    """Of numbers: mean absolute error, and the root of the mean squared error. No opinion is 0."""

    def __init__(self) -> None:
        self.n, self.absolute, self.squared = 0, 0.0, 0.0

    @override
    def add(self, said: Floats, y: Floats) -> None:
        off = np.where(np.isnan(said[:, 0]), 0, said[:, 0]) - y
        self.n += len(y)
        self.absolute = _sum(self.absolute, np.abs(off))
        self.squared = _sum(self.squared, off * off)

    @override
    def merge(self, other: Self) -> None:
        self.n += other.n
        self.absolute, self.squared = self.absolute + other.absolute, self.squared + other.squared

    @override
    def told(self) -> dict[str, float]:
        return {"mae": self.absolute / self.n, "rmse": float(np.sqrt(self.squared / self.n))}

    @override
    def parts(self) -> dict[str, tuple[float, float]]:
        return {SQUARED: (float(self.n), self.squared), ABSOLUTE: (float(self.n), self.absolute)}


class Prequential:
    """Figures of several who answered the same requests.

    Requests come in the order of their event times: a day or a month is done when the next one begins.
    """

    def __init__(self, subject: Subject, who: Sequence[str]) -> None:
        self._subject, self._who = subject, tuple(who)
        self._all = self._new()
        self._month, self._of_month = "", self._new()
        self._day, self._known, self._of_day = -1, 0, self._new()
        self._valued, self._worth = 0, dict.fromkeys(self._who, 0.0)
        self._rows: list[dict[str, Any]] = []
        self._days: list[Day] = []

    def _new(self) -> dict[str, Figures]:
        task, classes = self._subject.task, len(self._subject.classes)
        return {
            who: Chances() if task is Task.BINARY else Classes(classes) if task is Task.MULTICLASS else Numbers()
            for who in self._who
        }

    def take(self, times_ms: Whole, said: Answers, y: Floats, known: Whole, worth: Answers = NO_WORTH) -> None:
        """Answers more: of each who answers float64[n, m]; what came true, float64[n].

        times_ms: int64[n], ascending. known: int64[n], outcomes that were known before. worth: what the answers were
        worth, float64[n], NaN where they have no value; empty where there are no values.
        """
        days = times_ms // DAY_MS
        starts = [0, *(np.flatnonzero(days[1:] != days[:-1]) + 1).tolist(), len(days)]
        for begin, end in pairwise(starts):
            if begin == end:
                continue
            if (day := int(days[begin])) != self._day:
                self._end_day()
                self._begin_day(day, int(known[begin]))
            for who in self._who:
                self._of_day[who].add(said[who][begin:end], y[begin:end])
            if worth:
                self._value({who: worth[who][begin:end] for who in self._who})

    def days(self) -> list[Day]:
        """Each day that is done, and what there is of the last one."""
        self._end_day()
        return list(self._days)

    def rows(self) -> list[dict[str, Any]]:
        """A row for each month and who answers, and those of all months; none where there was no request.

        It ends the day and the month, to which nothing can be added then.
        """
        self._end_day()
        self._end_month()
        self._of_month = self._new()
        return [*self._rows, *self._told(ALL, self._all)]

    def _begin_day(self, day: int, known: int) -> None:
        self._day, self._known = day, known
        month = str(np.datetime64(day, "D").astype("datetime64[M]"))
        if month != self._month:
            self._end_month()
            self._month, self._of_month = month, self._new()

    def _value(self, worth: Mapping[str, Floats]) -> None:
        """Add values, of those requests where each answer has one."""
        valued = np.logical_and.reduce([np.isfinite(one) for one in worth.values()])
        self._valued += int(np.count_nonzero(valued))
        for who, one in worth.items():
            self._worth[who] = _sum(self._worth[who], one[valued])

    def _end_day(self) -> None:
        of = self._of_day
        requests = of[self._who[0]].n
        if not requests:
            return
        parts = {who: figures.parts() for who, figures in of.items()}
        figures = {
            name: Part(weight, {who: said[name][1] for who, said in parts.items()})
            for name, (weight, _) in parts[self._who[0]].items()
        }
        if self._valued:
            figures[VALUE] = Part(float(self._valued), self._worth)
        self._valued, self._worth = 0, dict.fromkeys(self._who, 0.0)
        self._days.append(Day(self._day * DAY_MS, requests, self._known, figures))
        for who in self._who:
            self._of_month[who].merge(of[who])
        self._of_day = self._new()

    def _end_month(self) -> None:
        self._rows += self._told(self._month, self._of_month)
        for who in self._who:
            self._all[who].merge(self._of_month[who])

    def _told(self, month: str, figures: Mapping[str, Figures]) -> Iterator[dict[str, Any]]:
        for who, of in figures.items():
            if of.n:
                yield {"month": month, "who": who, "requests": of.n, **of.told()}
