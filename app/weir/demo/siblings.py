"""The same flights, asked two more things: how many minutes late, and how late of three. Each is a service of its own.

They are asked and told what the flight-delay model is: the same inputs, of the same feature service, with the same
policies. So one matrix trains all three.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.arrow import replaced
from weir.core.signature import Band, Signature, Task
from weir.demo.signature import LATE_MIN, SIGNATURE

Minutes = npt.NDArray[np.float32]

VERY_LATE_MIN: Final = 60.0  # above it, connections are lost
CLASSES: Final = ("on_time", "late", "very_late")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sibling:
    """A further service of the demo, and what decides its model beside the data and recipe.PARAMETERS.

    model: its name. purpose: for its card. rounds: of boosting, each a tree for each column of the output.
    tolerance: how far ONNX Runtime may be from LightGBM, in the unit of the score.
    """

    service: str
    model: str
    purpose: str
    signature: Signature
    parameters: Mapping[str, Any]
    rounds: int
    tolerance: float

    def targets(self, late_min: Minutes) -> Minutes:
        """What its model is trained on: minutes, or the number of the class; float32[n]. late_min: float32[n]."""
        return late_min if self.signature.task is Task.REGRESSION else class_of(late_min).astype(np.float32)

    def labels(self, late_min: Minutes) -> pa.Array:
        """What came true, in the words of its outcomes: minutes, or classes by name. late_min: float32[n]."""
        if self.signature.task is Task.REGRESSION:
            return pa.array(late_min)
        return pa.array(CLASSES).take(pa.array(class_of(late_min)))

    def outcomes(self, landed: pa.Table) -> pa.Table:
        """The same outcomes in its words. landed: rows of Flights.outcomes."""
        late_min, n = landed["observed"].to_numpy(), landed.num_rows
        nothing = pa.MapArray.from_arrays(
            np.zeros(n + 1, np.int32), pa.array([], pa.string()), pa.array([], pa.float64())
        )
        labels = self.labels(late_min) if self.signature.labels else pa.nulls(n, pa.string())
        return replaced(replaced(landed, "label", labels), "attributes", nothing)


def class_of(late_min: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.int64]:
    """Which of CLASSES a delay is: int64[n].

    >>> class_of(np.array([-20.0, 14.0, 15.0, 60.0, 61.0])).tolist()
    [0, 0, 1, 1, 2]
    """
    return (late_min >= LATE_MIN).astype(np.int64) + (late_min > VERY_LATE_MIN)


MINUTES = Sibling(
    service="flight-delay-minutes",
    model="flight-delay-minutes-lightgbm",
    purpose="by how many minutes the flight arrives late,\n"
    f"below 0 when early. In bands: early, on_time from 0, late from {LATE_MIN:g}.",
    signature=replace(
        SIGNATURE,
        task=Task.REGRESSION,
        threshold=None,
        bands=(Band(name="early"), Band(name="on_time", start=0.0), Band(name="late", start=LATE_MIN)),
    ),
    parameters={"objective": "regression", "learning_rate": 0.2},
    rounds=30,
    tolerance=1e-4,
)
CLASS = Sibling(
    service="flight-delay-class",
    model="flight-delay-class-lightgbm",
    purpose="which of three the flight will be:\n"
    f"on_time (under {LATE_MIN:g} minutes late), late, or very_late (over {VERY_LATE_MIN:g}).",
    signature=replace(SIGNATURE, task=Task.MULTICLASS, threshold=None, classes=CLASSES),
    parameters={"objective": "multiclass", "num_class": len(CLASSES), "learning_rate": 0.2},
    rounds=20,
    tolerance=1e-6,
)
SIBLINGS: Final = (MINUTES, CLASS)
