"""Rows that try a model of trees hard: on what its nodes compare with, one float32 beside, and strange ones."""

from __future__ import annotations

from typing import Final

import numpy as np

from weir.trees.ensemble import Floats
from weir.trees.graph import Plan

NEAR, STRANGE_SHARE = 0.3, 0.05  # of the values that nodes ask for: on or beside a threshold, and strange
STRANGE: Final = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 3e38, -3e38], np.float32)
AT_ONCE: Final = 1024  # columns that are changed in a row


class Asked:
    """What the nodes of a plan compare with, by column; looked up once, for as many rows as are made."""

    def __init__(self, plan: Plan) -> None:
        ensemble = plan.ensemble
        owner = np.repeat(np.arange(len(ensemble.feature)), np.diff(ensemble.member_start))
        asked = np.concatenate([ensemble.feature[~ensemble.is_set], ensemble.feature[owner]])
        known = np.concatenate([ensemble.threshold[~ensemble.is_set], ensemble.members])
        self._known = known[np.argsort(asked, kind="stable")]
        features, self._counts = np.unique(asked, return_counts=True)
        self._starts = np.cumsum(self._counts) - self._counts
        self._columns = features if plan.columns is None else plan.columns[features]

    def rows(self, golden: Floats, n: int, rng: np.random.Generator) -> Floats:
        """float32[n, k]: golden rows, float32[g, k], with other values in the columns that nodes ask for.

        Where they ask for more than AT_ONCE columns, in so many of them; the next call takes others.
        """
        made = golden[rng.integers(0, len(golden), n)]
        some = rng.permutation(len(self._columns))[:AT_ONCE]
        columns = self._columns[some]
        chosen = self._starts[some] + (rng.random((n, len(some))) * self._counts[some]).astype(np.int64)
        kind = rng.random(chosen.shape, np.float32)
        values = np.where(kind < NEAR, _beside(self._known[chosen], rng), made[:, columns])
        strange = kind > 1 - STRANGE_SHARE
        values[strange] = rng.choice(STRANGE, int(strange.sum()))
        made[:, columns] = values
        return made


def _beside(values: Floats, rng: np.random.Generator) -> Floats:
    """Values moved by one float32 down, none, one or two up: what was compared by < stands one lower in a plan."""
    steps = rng.integers(-1, 3, values.shape)
    high, low = np.float32(np.inf), np.float32(-np.inf)
    with np.errstate(over="ignore"):  # beside the largest number is infinity
        up = np.nextafter(values, high)
        moved: Floats = np.choose(steps + 1, [np.nextafter(values, low), values, up, np.nextafter(up, high)])
    return moved
