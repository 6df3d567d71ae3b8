"""When a learner must stop: pure functions of what it is given, and of what was usual before.

Outcomes are judged row by row before they are learned, and a window at a time afterwards. What is usual is known from
whole windows that nothing was wrong with, so that an attack does not make itself usual.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from weir.core.signature import Task
from weir.learn.learner import Limits, Subject
from weir.learn.model import Floats

LABEL: Final = "outcome"
EXPECTED: Final = 30  # rows of other classes that luck does not keep away: none of 30 comes once in e ** 30
HOUR_MS: Final = 3_600_000
HUGE: Final = 1e100  # beyond it a number is as good as infinite: its square is, of which the spread is made
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Fault:
    """What a guard has seen. row: of the rows that it was given; None: of all of them."""

    guard: str
    what: str
    evidence: Mapping[str, float | str]
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Usual:
    """What whole windows held: rows; of each column, and of a number that is learned last, values, mean, squares.

    squares: of the distances from the mean, summed. classes: how often each came true; of numbers how often one was the
    same as the one before it.
    """

    rows: int
    counts: Floats
    means: Floats
    squares: Floats
    classes: Whole

    @classmethod
    def nothing(cls, subject: Subject) -> Usual:
        """Before the first window."""
        k = len(subject.columns) + (subject.task is Task.REGRESSION)
        return cls(0, np.zeros(k), np.zeros(k), np.zeros(k), np.zeros(max(len(subject.classes), 1), np.int64))

    def after(self, x: Floats, y: Floats) -> Usual:
        """With a window more: x float64[n, k], y float64[n].

        Source: Chan, Golub and LeVeque 1983, Algorithms for computing the sample variance.
        """
        values = _with_label(x, y, self)
        missing = np.isnan(values)
        n = len(values) - np.count_nonzero(missing, axis=0).astype(np.float64)
        means = np.divide(np.where(missing, 0, values).sum(0), n, out=np.zeros_like(n), where=n > 0)
        apart = np.where(missing, 0, values - means)
        squares = np.einsum("ij,ij->j", apart, apart)
        counts, off = self.counts + n, means - self.means
        share = np.divide(n, counts, out=np.zeros_like(n), where=counts > 0)
        classes = self.classes + _classes(y, len(self.classes))
        return Usual(
            self.rows + len(x),
            counts,
            self.means + off * share,
            self.squares + squares + off * off * self.counts * share,
            classes,
        )


def row_fault(x: Floats, y: Floats, usual: Usual, limits: Limits, columns: Sequence[str]) -> Fault | None:
    """The first row that may not be learned: a value is infinite or HUGE, what came true is none, or one is far off.

    Before the first whole window nothing is far off, nor is it in a column that has never changed.
    """
    values = _with_label(x, y, usual)
    if not len(values):
        return None
    names = (*columns, LABEL)
    spread = np.sqrt(np.divide(usual.squares, usual.counts, out=np.zeros_like(usual.counts), where=usual.counts > 0))
    widest = np.where(spread > 0, limits.outlier_sd * spread, np.inf)
    low, high = usual.means - widest, usual.means + widest
    labels = values[:, len(columns) :]
    least, most = np.fmin.reduce(values), np.fmax.reduce(values)  # NaN of a column without a value, which is not far
    far = (least < np.fmax(low, -HUGE)) | (most > np.fmin(high, HUGE))
    if not far.any() and not np.isnan(labels).any():
        return None
    wrong = (values < low) | (values > high) | (np.abs(values) > HUGE)
    wrong[:, len(columns) :] |= np.isnan(labels)
    row = int(np.flatnonzero(wrong.any(1))[0])
    column = int(np.flatnonzero(wrong[row])[0])
    value, name = float(values[row, column]), names[column]
    if not abs(value) <= HUGE:
        return Fault("finite", f"{name} is {value}", {"column": name, "value": str(value)}, row)
    mean, sd = float(usual.means[column]), float(spread[column])
    what = f"{name} is {value:g}, {abs(value - mean) / sd:,.0f} standard deviations from its mean of {mean:g}"
    evidence: dict[str, float | str] = {
        "column": name,
        "value": value,
        "mean": mean,
        "sd": sd,
        "limit": limits.outlier_sd,
    }
    return Fault("outlier_sd", what, evidence, row)


def window_fault(x: Floats, y: Floats, times_ms: Whole, usual: Usual, limits: Limits, subject: Subject) -> Fault | None:
    """What is wrong with a whole window: outcomes came too fast, values are missing, or one class is nearly alone."""
    return _flood(times_ms, limits) or _missing(x, usual, limits, subject) or _alone(y, usual, limits, subject)


def state_fault(weights: Floats, answers: Floats, usual: Usual, limits: Limits, columns: int) -> Fault | None:
    """What is wrong with a model after a window: a weight is too large, or it answers what is no number.

    answers: what it said meanwhile, NaN where it had no opinion or was not asked. usual: with the window. A weight of a
    model of numbers is in their unit: it is measured by their standard deviation. columns: of the features.
    """
    if len(weights):
        spread = np.sqrt(usual.squares[columns:] / usual.rows)
        limit = limits.weight * float(spread[0] if len(spread) and spread[0] > 0 else 1)
        largest = float(np.abs(weights).max())  # NaN where there is one
        if not largest <= limit:
            evidence = {"largest": str(largest) if not np.isfinite(largest) else largest, "limit": limit}
            return Fault("weight", f"its largest weight is {largest:g}", evidence)
    if np.isinf(answers).any():
        return Fault("finite", "an answer of its own is infinite", {"answers": int(np.isinf(answers).sum())})
    return None


def _classes(y: Floats, classes: int) -> Whole:
    """How often each class came true; where there is one place alone, how often a number is the one before it."""
    if classes == 1:
        return np.array([np.count_nonzero(y[1:] == y[:-1])], np.int64)
    return np.bincount(y.astype(np.int64), minlength=classes)


def _with_label(x: Floats, y: Floats, usual: Usual) -> Floats:
    return np.column_stack([x, y]) if len(usual.counts) > x.shape[1] else x


def _flood(times_ms: Whole, limits: Limits) -> Fault | None:
    if not limits.outcomes_per_hour:
        return None
    span_ms = int(times_ms[-1] - times_ms[0])
    rate = len(times_ms) * HOUR_MS / max(span_ms, 1)
    if rate <= limits.outcomes_per_hour:
        return None
    what = f"{len(times_ms):,} outcomes came within {span_ms / 1000:,.0f} s"
    return Fault("outcomes_per_hour", what, {"outcomes_per_hour": rate, "limit": limits.outcomes_per_hour})


def _missing(x: Floats, usual: Usual, limits: Limits, subject: Subject) -> Fault | None:
    if not usual.rows:
        return None
    missing = np.count_nonzero(np.isnan(x), axis=0) / len(x)
    before = 1 - usual.counts[: x.shape[1]] / usual.rows
    if not ((missing > limits.missing) & (before <= limits.missing)).any():
        return None
    column = int(np.argmax(np.where(before <= limits.missing, missing, -1)))
    name = subject.columns[column]
    now, then = float(missing[column]), float(before[column])
    what = f"{name} is missing in {now:.1%} of a window, and was in {then:.1%} before"
    return Fault("missing", what, {"column": name, "missing": now, "before": then, "limit": limits.missing})


def _alone(y: Floats, usual: Usual, limits: Limits, subject: Subject) -> Fault | None:
    if not usual.rows:
        return None
    found = _classes(y, len(usual.classes))
    most = int(found.argmax())
    others = len(y) - int(found[most])
    expected = len(y) * (1 - float(usual.classes[most]) / usual.rows)
    if expected < EXPECTED or others >= limits.one_class * expected:
        return None
    name = subject.classes[most] if subject.classes else "the number of the outcome before"
    what = f"{name} came true {found[most]:,} of {len(y):,} times, and {1 - expected / len(y):.1%} of the time before"
    return Fault("one_class", what, {"class": name, "others": others, "expected": expected, "limit": limits.one_class})
