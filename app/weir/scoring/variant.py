"""A model version in service, under the name by which a route knows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from weir.core.bundle import Bundle
from weir.core.features import Lookup

Run = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the model versions that answer a service's requests; it may have inputs, outputs and decisions of its own.

    name: the route's name for it ("champion", "challenger").
    run: float32[n, k] -> float32[n, m]; RuntimeError when the model fails.
    Of a signature with strings `run` takes beside the matrix their columns and the texts at the positions there.
    known_good: float32[1, k], a row that the model has scored. known_texts: its texts, one for each string.
    lookup: reads its features; None for a bundle without features.
    """

    name: str
    bundle: Bundle
    run: Callable[..., npt.NDArray[np.float32]]
    known_good: npt.NDArray[np.float32]
    lookup: Lookup | None = None
    known_texts: tuple[str, ...] = ()

    def bound(self, texts: Sequence[Sequence[str]]) -> tuple[Run, npt.NDArray[np.float32]]:
        """What scores rows whose matrix has the positions of these texts, and the known good row for it."""
        if not texts:
            return self.run, self.known_good
        strings, known = list(self.bundle.signature.strings), self.known_good.copy()
        known[0, strings] = np.where(np.isnan(known[0, strings]), np.nan, [len(words) for words in texts])
        with_known = [(*words, word) for words, word in zip(texts, self.known_texts, strict=True)]
        return partial(self.run, texts=dict(zip(strings, with_known, strict=True))), known
