"""How good answers were of several who answered the same requests: sums, which are small and go into a snapshot.

Sums run row by row, so that where rows are cut changes no bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from weir.core.signature import Task
from weir.learn.learner import Subject
from weir.learn.model import Floats
from weir.learn.prequential import CLIP


@dataclass(frozen=True, slots=True)
class Tally:
    """n: requests. sums: by who answers and figure. A value."""

    n: int = 0
    sums: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def with_more(self, subject: Subject, said: Mapping[str, Floats], y: Floats) -> Tally:
        """And those of n requests: of each who answers float64[n, m]; what came true, float64[n]."""
        if not len(y):
            return self
        sums = {
            who: {
                figure: _sum(self.sums.get(who, {}).get(figure, 0.0), values)
                for figure, values in _losses(subject, answers, y).items()
            }
            for who, answers in said.items()
        }
        return Tally(self.n + len(y), sums)

    def told(self) -> dict[str, dict[str, float]]:
        """The figures by who answers: means, and of numbers MAE and RMSE."""
        return {who: {name: _told(name, one / self.n) for name, one in of.items()} for who, of in self.sums.items()}


def _told(name: str, mean: float) -> float:
    return float(np.sqrt(mean)) if name == "rmse" else mean


def _sum(total: float, values: Floats) -> float:
    return float(np.cumsum(np.concatenate([[total], values]))[-1])


def _losses(subject: Subject, said: Floats, y: Floats) -> dict[str, Floats]:
    """By figure, float64[n]. No opinion is the same chance for each class; of numbers it is 0."""
    if subject.task is Task.REGRESSION:
        off = np.where(np.isnan(said[:, 0]), 0, said[:, 0]) - y
        return {"mae": np.abs(off), "rmse": off * off}
    if subject.task is Task.BINARY:
        positive = np.where(np.isnan(said[:, 0]), 0.5, said[:, 0])
        chances = np.column_stack([1 - positive, positive])
    else:
        chances = np.where(np.isnan(said), 1 / said.shape[1], said)
    true = y.astype(np.int64)
    own = np.clip(np.take_along_axis(chances, true[:, None], 1)[:, 0], CLIP, 1)
    classes = np.arange(chances.shape[1])
    apart = ((chances - (classes == true[:, None])) ** 2).sum(1)
    return {
        "log_loss": -np.log(own),
        "brier": apart / 2 if subject.task is Task.BINARY else apart,
        "accuracy": (chances.argmax(1) == true).astype(np.float64),
    }
