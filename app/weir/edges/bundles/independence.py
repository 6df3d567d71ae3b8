"""Whether a row's score depends on the rows beside it, found by asking for the same rows in other company."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from weir.edges.bundles.onnx_model import Floats, Reading

ROWS: Final = 256  # of the golden rows
BATCHES: Final = (1, 2, 3, 7, 8, 13, 64)  # rows: around the widths of vector registers, where bodies and tails round
LOUD: Final = np.float32(50)  # times as large as any row: moves whatever is measured over the batch


class NoBatch(Exception):
    """A batch that the model cannot score, in words."""


def differences(model: Reading, inputs: Floats, outputs: Floats) -> npt.NDArray[np.float64]:
    """How far each output was from what it is in one batch of all, at most: float64[n, m]; 0 for the same bits.

    Alone, in batches of several sizes, in other places, and before and behind rows that are fifty times as large.
    inputs: float32[n, k]. outputs: float32[n, m], the model's for them in one batch.
    Raises NoBatch where the model fails for one of them.
    """
    worst = np.zeros(outputs.shape, np.float64)
    for again in _tries(model, inputs):
        same = (again == outputs) | (np.isnan(again) & np.isnan(outputs))
        difference = np.where(same, 0.0, np.abs(again.astype(np.float64) - outputs))
        np.maximum(worst, np.nan_to_num(difference, nan=np.inf), out=worst)
    return worst


def _tries(model: Reading, inputs: Floats) -> Iterator[Floats]:
    """The same rows in other company, in the order of `inputs`."""
    n = len(inputs)
    for size in BATCHES:
        parts = [inputs[start : start + size] for start in range(0, n, size)]
        yield np.concatenate([_run(model, part) for part in parts])
    for order in (np.random.default_rng(7).permutation(n), np.arange(n)[::-1]):
        yield _run(model, inputs[order])[np.argsort(order)]
    loud = inputs * LOUD
    company: tuple[Callable[[], Floats], ...] = (
        lambda: model.run(np.concatenate([inputs, loud]))[:n],
        lambda: model.run(np.concatenate([loud, inputs]))[n:],
    )
    for beside in company:
        try:
            yield beside()
        except RuntimeError:  # on rows that no request has
            continue


def _run(model: Reading, part: Floats) -> Floats:
    rows = "1 row" if len(part) == 1 else f"{len(part)} rows"
    try:
        found = model.run(part)
    except RuntimeError as error:
        raise NoBatch(f"{rows}: {error}") from error
    if len(found) != len(part):
        raise NoBatch(f"{rows}: it gives {len(found)} scores")
    return found
