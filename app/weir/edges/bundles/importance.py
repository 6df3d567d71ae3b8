"""How important each input is to a model: how far its answers move when the values of that input are dealt anew.

The same for every task and every model, since only answers are looked at and no outcome is. It is the mean absolute
difference of the outputs for rows of the baseline whose values of one input are permuted; of all inputs together it
is 1. Two inputs that say the same share what they say, as with every such measure.

Source: Breiman, Random Forests, Machine Learning 45 (2001), section 10, of the answers in place of their errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from weir.core.beside import NO_TABLES, Tables
from weir.edges.bundles.onnx_model import Floats, Model

FEWEST: Final = 50  # rows; of fewer a share would be chance
MOST: Final = 2000  # rows of the baseline that are dealt anew
ASKED: Final = 200_000  # rows that the model answers for it, at most, however many inputs it has
DIGITS: Final = 4  # of a share: last bits of scores, which differ between machines, change none of them
SEED: Final = 14


def importances(model: Model, names: Sequence[str], inputs: Floats, tables: Tables = NO_TABLES) -> dict[str, float]:
    """The share of each input, by name; none where rows are too few, or no input moves the answers, or the model fails.

    inputs: float32[n, k], rows of the baseline. tables: see Model.run.
    """
    rng = np.random.default_rng(SEED)
    n = min(len(inputs), MOST, max(FEWEST, ASKED // max(1, inputs.shape[1])))
    if n < FEWEST:
        return {}
    rows = np.ascontiguousarray(inputs[rng.permutation(len(inputs))[:n]])
    try:
        moved = _moved(model, rows, tables, rng)
    except RuntimeError:  # of a model that takes only some pairs of values: it is no worse a model
        return {}
    total = float(moved.sum())
    if not 0 < total < np.inf:
        return {}
    return {name: round(share, DIGITS) for name, share in zip(names, (moved / total).tolist(), strict=True)}


def _moved(model: Model, rows: Floats, tables: Tables, rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype]:
    """float64[k], how far the answers move by each input, on average."""
    answers = model.run(rows, tables).astype(np.float64)
    moved = np.zeros(rows.shape[1])
    for column in range(rows.shape[1]):
        dealt = rows.copy()
        dealt[:, column] = rng.permutation(rows[:, column])
        with np.errstate(invalid="ignore"):
            away = np.abs(model.run(dealt, tables) - answers)
        moved[column] = float(np.where(np.isfinite(away), away, 0.0).mean())
    return moved
