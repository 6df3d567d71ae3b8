"""What answers were off by, row by row, as detectors of drift see it; and how what they find is called."""

from __future__ import annotations

from typing import Final

import numpy as np

from weir.core.signature import Task
from weir.learn.model import Floats
from weir.learn.prequential import CLIP

FAR: Final = 10.0


def loss(task: Task, said: Floats, y: Floats) -> Floats:
    """Log loss of what came true, of numbers the distance: said float64[n, m], y float64[n]."""
    if task is Task.REGRESSION:
        return np.asarray(np.abs(y - said[:, 0]))
    own = np.where(y > 0, said[:, 0], 1 - said[:, 0]) if task is Task.BINARY else _own(said, y)
    return np.asarray(-np.log(np.clip(own, CLIP, 1)))


def residual(task: Task, said: Floats, y: Floats) -> Floats:
    """What came true less what was expected: 1 or 0 less its chance, of several classes of the likeliest one."""
    if task is Task.MULTICLASS:
        return np.asarray((said.argmax(1) == y) - said.max(1))
    return np.asarray(y - said[:, 0])


def tame(values: Floats) -> tuple[Floats, float]:
    """Numbers, those far beyond all others as the farthest that counts; and the largest one that counts.

    Far is FAR times as far from the median as all but one in a hundred are: one error of 1e12 would be the spread of
    all.

    >>> float(tame(np.array([1.0, 2.0, 3.0] * 50 + [1e12]))[0].max())
    12.0
    """
    middle = float(np.median(values))
    widest = FAR * float(np.quantile(np.abs(values - middle), 0.99))
    if widest <= 0:
        return values, np.inf
    return np.clip(values, middle - widest, middle + widest), middle + widest


def minute_of(at_ms: int) -> str:
    """A time as a name has it, UTC.

    >>> minute_of(1_780_000_000_000)
    '20260528T2026'
    """
    return str(np.datetime64(at_ms, "ms").astype("datetime64[m]")).replace("-", "").replace(":", "")


def _own(said: Floats, y: Floats) -> Floats:
    return np.asarray(np.take_along_axis(said, y.astype(np.int64)[:, None], 1)[:, 0])
