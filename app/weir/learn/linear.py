"""A standard scaler and a logistic or linear regression by SGD, as arrays: River's state, and its steps compiled."""

from __future__ import annotations

from typing import Final

import numpy as np
from typing_extensions import override

from weir.core.signature import Task
from weir.learn.linear_code import kernel
from weir.learn.model import Flags, Floats, Model

STATE: Final = ("count", "mean", "variance", "weight")  # rows of the state
NUMBERS: Final = ("intercept", "learning_rate", "intercept_rate", "bound")


class Linear(Model):
    """The model. state: float64[4, k], see STATE. numbers: float64[4], see NUMBERS; bound: of a gradient.

    Raises ValueError for rows that do not fit the state.
    """

    def __init__(self, task: Task, state: Floats, numbers: Floats) -> None:
        """task: binary or regression. Raises ImportError, OSError, RuntimeError where its code cannot be compiled."""
        self.task = task
        self.state, self.numbers = np.array(state, np.float64, order="C"), np.array(numbers, np.float64)
        self._kernel = kernel()
        self._scratch = np.empty(self.state.shape[1])

    @override
    def run(self, x: Floats, y: Floats, learns: Flags, out: Floats) -> None:
        n, k = x.shape
        if k != self.state.shape[1] or len(y) != n or len(learns) != n or out.shape != (n, 1):
            raise ValueError(f"rows of {k} columns do not fit a state of {self.state.shape[1]}")
        answers = np.full(n, np.nan)
        of = [np.ascontiguousarray(x, np.float64), np.ascontiguousarray(y, np.float64)]
        of += [np.ascontiguousarray(learns, np.bool_), self.state, self.numbers, self._scratch, answers]
        self._kernel.run(n, k, [one.ctypes.data for one in of], logistic=self.task is Task.BINARY)
        out[:, 0] = answers

    @override
    def keep(self) -> tuple[Floats, Floats]:
        return self.state.copy(), self.numbers.copy()

    @override
    def restore(self, kept: tuple[Floats, Floats]) -> None:
        self.state, self.numbers = (one.copy() for one in kept)

    @override
    def weights(self) -> Floats:
        weights: Floats = self.state[3].copy()
        return weights
