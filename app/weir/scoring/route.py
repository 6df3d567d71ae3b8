"""Which variant answers which request."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.scoring.identity import sticky


@dataclass(frozen=True, slots=True)
class Route:
    """Variants and their shares of the traffic. The same key always meets the same variant.

    shares: positive, one a variant; they are normalised. salt: changes who meets whom, for an independent experiment.
    Raises ValueError when shares and variants differ in number or a share is not positive.
    """

    variants: tuple[str, ...]
    shares: tuple[float, ...] = (1.0,)
    salt: str = ""

    def __post_init__(self) -> None:
        if len(self.variants) != len(self.shares) or not all(share > 0 for share in self.shares):
            raise ValueError("a route needs one positive share for each variant")

    def assign(self, keys: pa.StringArray) -> npt.NDArray[np.int8]:
        """Index into `variants` for each of n keys."""
        if len(self.variants) == 1:
            return np.zeros(len(keys), np.int8)
        edges = np.cumsum(self.shares) / sum(self.shares)
        return np.searchsorted(edges[:-1], sticky(keys, self.salt), side="right").astype(np.int8)
