"""Any model of River behind the one way to answer and learn."""

from __future__ import annotations

import math
import pickle
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from typing_extensions import override

from weir.core.signature import Task
from weir.learn import allowed
from weir.learn.allowed import Outside
from weir.learn.learner import Subject
from weir.learn.model import Broke, Flags, Floats, Model, is_fault

NO_WEIGHTS = np.empty(0)


class RiverModel(Model):
    """The model. of: River's own object, which learns one row after the other, as River does. Raises Broke."""

    def __init__(self, of: Any, subject: Subject) -> None:
        """subject: the columns of the rows that it will get, and the classes."""
        self.of = of
        self._columns, self._task = subject.columns, subject.task
        # River's own examples of two classes are of true and false; several have their names.
        self._labels: tuple[Any, ...] = (False, True) if subject.task is Task.BINARY else subject.classes

    @override
    def run(self, x: Floats, y: Floats, learns: Flags, out: Floats) -> None:
        # A loop over rows, since River's models take one row at a time.
        answer = self._number if self._task is Task.REGRESSION else self._chances
        complete: Any = np.isfinite(x).all(axis=1).tolist()
        for row, (values, learned) in enumerate(zip(x.tolist(), learns.tolist(), strict=True)):
            given = dict(zip(self._columns, values, strict=True))
            if not complete[row]:  # a NaN would stay in a scaler's sums: what is missing is left out
                given = {name: value for name, value in given.items() if not math.isnan(value)}
            try:
                if learned:
                    self._learn(given, y[row])
                else:
                    answer(given, out[row])
            except BaseException as error:  # whatever a model raises for what it has learned
                if not is_fault(error):
                    raise
                raise Broke(row, error) from error

    def _learn(self, given: Mapping[str, float], y: Any) -> None:
        label = float(y) if self._task is Task.REGRESSION else self._labels[int(y)]
        self.of.learn_one(given, label)

    def _number(self, given: Mapping[str, float], out: Floats) -> None:
        said = self.of.predict_one(given)
        out[0] = np.nan if said is None else said

    def _chances(self, given: Mapping[str, float], out: Floats) -> None:
        """What it says of each class; a class that it has not met has none."""
        said = self.of.predict_proba_one(given) or {}
        total = sum(said.values())
        if not total > 0:
            out[:] = np.nan
        elif self._task is Task.BINARY:
            out[0] = said.get(True, 0.0) / total
        else:
            out[:] = [said.get(label, 0.0) / total for label in self._labels]

    @override
    def keep(self) -> bytes:
        # A tree is copied so in a tenth of the time of copy.deepcopy, whose many objects the garbage collector then
        # goes through again and again. It leaves this process under a seal alone, see pickled.
        return pickle.dumps(self.of, pickle.HIGHEST_PROTOCOL)

    @override
    def restore(self, kept: bytes) -> None:
        self.of = allowed.loads(kept) if isinstance(kept, Outside) else pickle.loads(kept)

    @override
    def weights(self) -> Floats:
        last = list(self.of.steps.values())[-1] if hasattr(self.of, "steps") else self.of
        weights = getattr(last, "weights", None)
        return np.array(list(_numbers(weights))) if isinstance(weights, Mapping) else NO_WEIGHTS


def _numbers(weights: Mapping[Any, Any]) -> Iterator[float]:
    """Weights by feature, or by class and feature."""
    for one in weights.values():
        if isinstance(one, Mapping):
            yield from _numbers(one)
        else:
            yield float(one)
