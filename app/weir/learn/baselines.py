"""What one says who looks at no feature: the shares so far, or what came true last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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


@dataclass(frozen=True, slots=True)
class Told:
    """What is said of n events, and what is known after each.

    no_change, last: float64[n, m], NaN before the first outcome. counts: int64[n]. sums: float64[n, c]. lasts:
    float64[n].
    """

    no_change: Floats
    last: Floats
    counts: npt.NDArray[np.int64]
    sums: Floats
    lasts: Floats

    def after(self, row: int) -> Seen:
        """What is known after an event."""
        return Seen(int(self.counts[row]), self.sums[row].copy(), float(self.lasts[row]))


def told(seen: Seen, y: Floats, learns: Flags, subject: Subject) -> Told:
    """What is said of events in their order: y float64[n], read where `learns`.

    No change: the shares of the classes so far, or the mean. Sums run row by row, so that where events are cut changes
    no bit.
    """
    known = np.where(learns, y, 0)
    if subject.task is Task.REGRESSION:
        added = [known]
    else:
        added = [((known == label) & learns).astype(np.float64) for label in range(len(subject.classes))]
    sums = np.column_stack([_running(before, each) for before, each in zip(seen.sums, added, strict=True)])
    counts = seen.count + np.cumsum(learns, dtype=np.int64)
    place = np.maximum.accumulate(np.where(learns, np.arange(len(y)), -1))
    lasts = np.where(place >= 0, known[place], seen.last)
    with np.errstate(invalid="ignore"):
        shares = np.where(counts[:, None] > 0, sums / counts[:, None], np.nan)
    return Told(_answers(shares, subject), _answers(_one_hot(lasts, subject), subject), counts, sums, lasts)


def _running(before: float, added: Floats) -> Floats:
    return np.cumsum(np.concatenate([[before], added]))[1:]


def _one_hot(last: Floats, subject: Subject) -> Floats:
    if subject.task is Task.REGRESSION:
        return last[:, None]
    found = (np.arange(len(subject.classes)) == last[:, None]).astype(np.float64)
    return np.where(np.isnan(last)[:, None], np.nan, found)


def _answers(shares: Floats, subject: Subject) -> Floats:
    return shares[:, 1:] if subject.task is Task.BINARY else shares
