"""A model version in service, under the name by which a route knows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from weir.core.beside import Table, with_last
from weir.core.bundle import Bundle
from weir.core.features import Lookup

Run = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]


class Answering(NamedTuple):
    """What a learner answers with now. run: as Variant.run. state: names its state."""

    run: Callable[..., npt.NDArray[np.float32]]
    state: str


class Bound(NamedTuple):
    """What scores the rows of a micro-batch, from its start to its end. state: of a learner; empty of other models."""

    run: Run
    known_good: npt.NDArray[np.float32]
    state: str = ""


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the model versions that answer a service's requests; it may have inputs, outputs and decisions of its own.

    name: the route's name for it ("champion", "challenger").
    run: float32[n, k] -> float32[n, m]; RuntimeError when the model fails.
    Of a signature with something beside its matrix `run` takes their tables too, see core.beside.
    known_good: float32[1, k], a row that the model has scored. known_values: what it has beside, in that order.
    lookup: reads its features; None for a bundle without features. reference: see core.reference, as JSON.
    learning: for the bundle of a learner: what it answers with now, in the place of `run`.
    """

    name: str
    bundle: Bundle
    run: Callable[..., npt.NDArray[np.float32]]
    known_good: npt.NDArray[np.float32]
    lookup: Lookup | None = None
    known_values: tuple[str | float, ...] = ()
    reference: str = ""
    learning: Callable[[], Answering] | None = None

    def bound(self, tables: Sequence[Table]) -> Bound:
        """What scores rows whose matrix has positions in these tables, and the known good row for it."""
        run, state = self.learning() if self.learning else Answering(self.run, "")
        if not tables:
            return Bound(run, self.known_good, state)
        beside, known = list(self.bundle.signature.beside), self.known_good.copy()
        known[0, beside] = np.where(np.isnan(known[0, beside]), np.nan, [len(table) for table in tables])
        with_known = [with_last(table, value) for table, value in zip(tables, self.known_values, strict=True)]
        return Bound(partial(run, tables=dict(zip(beside, with_known, strict=True))), known, state)
