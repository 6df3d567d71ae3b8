"""A model version in service, under the name by which a route knows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from weir.core.bundle import Bundle
from weir.core.features import Lookup


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the model versions that answer a service's requests; it may have inputs, outputs and decisions of its own.

    name: the route's name for it ("champion", "challenger").
    run: float32[n, k] -> float32[n, m]; RuntimeError when the model fails.
    known_good: float32[1, k], a row that the model has scored.
    lookup: reads its features; None for a bundle without features.
    """

    name: str
    bundle: Bundle
    run: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
    known_good: npt.NDArray[np.float32]
    lookup: Lookup | None = None
