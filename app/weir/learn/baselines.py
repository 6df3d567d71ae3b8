"""What one says who looks at no feature: the shares so far, or what came true last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from weir.core.signature import Task
from weir.learn.learner import Subject
from weir.learn.model import Flags, Floats


@dataclass(frozen=True, slots=True)
class Seen:
    """The outcomes that are known. sums: how often each class came true, float64[c]; of numbers their sum, float64[1].

    last: index of the class, or the number, that became known last; NaN before the first.
    """

    count: int
    sums: Floats
    last: float

    @classmethod
    def nothing(cls, subject: Subject) -> Seen:
        """Before the first outcome."""
        return cls(0, np.zeros(max(len(subject.classes), 1)), np.nan)


def told(seen: Seen, y: Floats, learns: Flags, subject: Subject) -> tuple[Floats, Floats, Seen]:
    """No change and last class for rows in their order, float64[n, m] each, and what is known after them.

    y: float64[n], read where `learns`. No change: the shares of the classes so far, or the mean. Before the first
    outcome both say NaN. Sums run row by row, so that where rows are cut changes no bit.
    """
    if not len(y):
        return np.empty((0, subject.width)), np.empty((0, subject.width)), seen
    known = np.where(learns, y, 0)
    if subject.task is Task.REGRESSION:
        added = known[:, None]
    else:
        added = (np.arange(len(subject.classes)) == known[:, None]) & learns[:, None]
    sums = np.cumsum(np.concatenate([seen.sums[None], added]), axis=0)[1:]
    counts = seen.count + np.cumsum(learns)
    place = np.maximum.accumulate(np.where(learns, np.arange(len(y)), -1))
    last = np.where(place >= 0, y[place], seen.last)
    after = Seen(int(counts[-1]), sums[-1].copy(), float(last[-1]))
    with np.errstate(invalid="ignore"):
        shares = np.where(counts[:, None] > 0, sums / counts[:, None], np.nan)
    return _answers(shares, subject), _answers(_one_hot(last, subject), subject), after


def _one_hot(last: Floats, subject: Subject) -> Floats:
    if subject.task is Task.REGRESSION:
        return last[:, None]
    found = (np.arange(len(subject.classes)) == last[:, None]).astype(np.float64)
    return np.where(np.isnan(last)[:, None], np.nan, found)


def _answers(shares: Floats, subject: Subject) -> Floats:
    return shares[:, 1:] if subject.task is Task.BINARY else shares
