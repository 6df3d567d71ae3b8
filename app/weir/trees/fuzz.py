"""Rows that try a model of trees hard: on what its nodes compare with, one float32 beside, and strange ones."""

from __future__ import annotations

from typing import Final

import numpy as np

from weir.trees.ensemble import Floats
from weir.trees.graph import Plan

NEAR, STRANGE_SHARE = 0.3, 0.05  # of the values that nodes ask for: on or beside a threshold, and strange
STRANGE: Final = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 3e38, -3e38], np.float32)


def rows(plan: Plan, golden: Floats, n: int, rng: np.random.Generator) -> Floats:
    """float32[n, k]: golden rows, float32[g, k], with other values in the columns that nodes ask for."""
    made = golden[rng.integers(0, len(golden), n)]
    ensemble = plan.ensemble
    owner = np.repeat(np.arange(len(ensemble.feature)), np.diff(ensemble.member_start))
    asked = np.concatenate([ensemble.feature[~ensemble.is_set], ensemble.feature[owner]])
    values = np.concatenate([ensemble.threshold[~ensemble.is_set], ensemble.members])
    order = np.argsort(asked, kind="stable")
    features, starts = np.unique(asked[order], return_index=True)
    for feature, known in zip(features.tolist(), np.split(values[order], starts)[1:], strict=True):
        column = feature if plan.columns is None else int(plan.columns[feature])
        kind = rng.random(n)
        near = _beside(rng.choice(known, n), rng)
        made[:, column] = np.where(kind < NEAR, near, made[:, column])
        strange = kind > 1 - STRANGE_SHARE
        made[strange, column] = rng.choice(STRANGE, int(strange.sum()))
    return made


def _beside(values: Floats, rng: np.random.Generator) -> Floats:
    """Values moved by one float32 down, none, one or two up: what was compared by < stands one lower in a plan."""
    steps = rng.integers(-1, 3, len(values))
    high, low = np.float32(np.inf), np.float32(-np.inf)
    up = np.nextafter(values, high)
    moved: Floats = np.choose(steps + 1, [np.nextafter(values, low), values, up, np.nextafter(up, high)])
    return moved
