"""What a model's outputs mean: one score a row, and the decision that it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.signature import Signature, Task

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Decided:
    """n rows. score: float32[n]. index: int64[n], which of the signature's `decisions`."""

    score: Floats
    index: npt.NDArray[np.int64]


def decide(signature: Signature, outputs: Floats) -> Decided:
    """Score and decision of each row.

    outputs: float32[n, m], as the signature describes them. A score that equals a cut, as float32, is above it; of
    classes with the same score the first one is decided.

    >>> from weir.core.signature import Input, Source
    >>> x = Input(name="x", source=Source.REQUEST, ref="x")
    >>> three = Signature(inputs=(x,), task=Task.MULTICLASS, classes=("no", "maybe", "yes"))
    >>> decide(three, np.array([[0.25, 0.25, 0.5], [0.5, 0.5, 0.0]], np.float32))
    Decided(score=array([0.5, 0.5], dtype=float32), index=array([2, 0]))
    """
    if signature.task is Task.MULTICLASS and len(outputs):
        index = outputs.argmax(axis=1)
        return Decided(outputs[np.arange(len(outputs)), index], index)
    score = outputs.reshape(-1)
    return Decided(score, np.searchsorted(np.array(signature.cuts, np.float32), score, side="right"))


def words(signature: Signature, index: npt.NDArray[np.int64]) -> pa.Array:
    """string[n], the decisions by name. index: as in Decided."""
    return chosen(signature.decisions, index)


def chosen(names: tuple[str, ...], index: npt.NDArray[np.int64]) -> pa.Array:
    """string[n], names by their index. names: at least one.

    >>> chosen(("a", "b"), np.array([1, 0])).to_pylist()
    ['b', 'a']
    """
    if len(set(names)) == 1:
        return pa.repeat(pa.scalar(names[0]), len(index))
    return pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int32)), pa.array(names, pa.string())).cast(
        pa.string()
    )
