"""Rows on which the model raises: found by halving, so that each stands alone and every other row is scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from weir.core.errors import Refused, Unavailable, shortened

Floats = npt.NDArray[np.float32]
Run = Callable[[Floats], Floats]  # float32[n, k] -> float32[n, m]; RuntimeError when the model fails

REMEDY = "check the model's runtime and memory, and start the scorer again: the group replays what was not acknowledged"


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the model gave for n rows.

    outputs: float32[n, m], NaN for the rows of `failed`. failed: row -> what the model said, on one line.
    calls: times that the model was called, 1 when it did not raise.
    """

    outputs: Floats
    failed: Mapping[int, str]
    calls: int


def outputs_of(run: Run, matrix: Floats, *, known_good: Floats, max_failed: int) -> Outputs:
    """Outputs of n rows, and the rows on which the model raises even when they stand alone.

    A row is at fault only while the model works: when the batch raises, the model must first score `known_good`, and
    after the search the whole batch again with `known_good` in the place of every row at fault. So the other rows have
    the bits of a batch of the same shape without the poison, whatever a kernel makes of a batch's size, and a runtime
    that breaks down during the search raises instead of rejecting good rows.
    k rows at fault of n cost at most 2 k ceil(log2 n) + 3 calls, and never more than 2 n + 3; past max_failed of them
    the search is given up.

    matrix: float32[n, k]. known_good: float32[1, k], a row that the model has scored before.
    Raises Unavailable when the model fails without a row at fault, Refused when more than max_failed rows are.

    >>> def run(matrix):
    ...     if (matrix < 0).any():
    ...         raise RuntimeError("negative")
    ...     return matrix
    >>> matrix = np.array([[1], [-2], [3]], np.float32)
    >>> found = outputs_of(run, matrix, known_good=np.ones((1, 1), np.float32), max_failed=1)
    >>> found.outputs.tolist(), found.failed, found.calls
    ([[1.0], [nan], [3.0]], {1: 'negative'}, 6)
    """
    if not len(matrix):
        return Outputs(np.empty((0, 0), np.float32), {}, 0)
    try:
        return Outputs(run(matrix), {}, 1)
    except RuntimeError:  # told below, for the rows or for the model
        _proved(run, known_good, "the model fails on a row that it has scored before")
    failed, calls = _search(run, matrix, max_failed)
    repaired = matrix.copy()
    repaired[list(failed)] = known_good
    outputs = _proved(run, repaired, "the model fails on rows each part of which it scores")
    outputs[list(failed)] = np.nan
    return Outputs(outputs, failed, calls + 3)


def _search(run: Run, matrix: Floats, max_failed: int) -> tuple[dict[int, str], int]:
    """Rows at fault in ascending order, and the calls that it took. The whole of matrix is known to raise.

    A call that raises is dear (ONNX Runtime takes a millisecond to build its message): where the first half of a slice
    does not raise, the second must, and is not asked.
    """
    failed: dict[int, str] = {}
    calls = 0

    def error_of(low: int, high: int) -> str | None:
        nonlocal calls
        calls += 1
        try:
            run(matrix[low:high])
        except RuntimeError as error:
            return str(error)
        return None

    pending: list[tuple[int, int, str | None]] = [(0, len(matrix), None)]  # slices that raise, and with what
    while pending:
        low, high, said = pending.pop()
        if high - low > 1:
            middle = (low + high) // 2
            first = error_of(low, middle)
            second = None if first is None else error_of(middle, high)
            if first is None or second is not None:
                pending.append((middle, high, second))
            if first is not None:
                pending.append((low, middle, first))
            continue
        said = error_of(low, high) if said is None else said
        if said is not None:
            failed[low] = shortened(said)
        if len(failed) > max_failed:
            raise _too_many(failed[low], max_failed, len(matrix))
    return failed, calls


def _too_many(said: str, max_failed: int, rows: int) -> Refused:
    return Refused(
        f"the model raises for more than {max_failed} rows of a batch of {rows}: {said}",
        remedy="repair the producer or the model, or raise WEIR_DEAD_LETTER_LIMIT, and start again",
    )


def _proved(run: Run, matrix: Floats, what: str) -> Floats:
    try:
        return np.array(run(matrix))  # a copy: the caller writes into it
    except RuntimeError as error:
        raise Unavailable(f"{what}: {shortened(str(error))}", remedy=REMEDY) from error
