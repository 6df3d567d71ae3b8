"""What a row costs a bundle's engine, and ONNX Runtime beside it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

import numpy as np

from weir.edges.bundles.onnx_model import ONNX_RUNTIME, Floats, Model
from weir.edges.bundles.opened import Opened

BATCHES: Final = (1, 64, 1024)
ROWS, VALUES_MAX = 16_384, 1 << 22  # more than a cache holds; a processor learns the branches of rows that come again
MEASURED_S, TRIES = 0.05, 3
SEED: Final = 1

Costs = Mapping[str, Mapping[int, float]]


def measure(opened: Opened) -> Costs:
    """Engine -> rows in a batch -> us a row, the best of TRIES.

    Empty for a model that takes more than float32, and for one that fails on rows put together of several golden ones.
    """
    model = opened.model
    if model.beside:
        return {}
    rows = _rows(opened.golden.inputs)
    models = [model] if model.engine == ONNX_RUNTIME else [model, Model(opened.path, model.threads)]
    try:
        return {one.engine: {batch: _us_a_row(one, rows, batch) for batch in BATCHES} for one in models}
    except RuntimeError:
        return {}


def _rows(golden: Floats) -> Floats:
    """Rows of which few are the same: in each column golden values, drawn for themselves."""
    rng = np.random.default_rng(SEED)
    n = max(BATCHES[-1], min(ROWS, VALUES_MAX // golden.shape[1]))
    return np.column_stack([rng.choice(column, n) for column in golden.T])


def _us_a_row(model: Model, rows: Floats, batch: int) -> float:
    batches = [np.ascontiguousarray(rows[at : at + batch]) for at in range(0, len(rows) - batch + 1, batch)]
    best = np.inf
    for _ in range(TRIES):
        begun, scored = time.perf_counter(), 0
        for part in batches:
            model.run(part)
            scored += batch
            if time.perf_counter() - begun > MEASURED_S:
                break
        best = min(best, (time.perf_counter() - begun) / scored)
    return float(best * 1e6)
