"""Drops the repeats that a replaying scorer wrote: of each source, only an offset above the highest one is new."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from weir.core.block import Marks


def rising(
    marks: Marks, sources: Sequence[pa.Array], offsets: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.bool_], Marks]:
    """Which of n rows, in log order, are new.

    A row is new when its offset is above the mark of its source and above every earlier row of that source. This is
    exact because a scorer writes the answers of one source partition in order to one log partition.
    marks: before the rows. sources: columns (n values each) that name the source. offsets: int64[n], source offsets.
    Returns new (bool[n]) and the marks after the rows.

    >>> new, after = rising({("r", 0): 4}, [pa.array(["r"] * 4), pa.array([0] * 4)], np.array([4, 5, 6, 5]))
    >>> new.tolist(), after
    ([False, True, True, False], {('r', 0): 6})
    """
    new = np.zeros(len(offsets), np.bool_)
    after = dict(marks)
    if not len(offsets):
        return new, after
    codes = np.zeros(len(offsets), np.int64)
    for column in sources:
        encoded = pc.dictionary_encode(column)
        codes = codes * len(encoded.dictionary) + encoded.indices.to_numpy(zero_copy_only=False)
    for code in np.unique(codes):  # a handful: the source partitions that one log partition carries
        rows = np.flatnonzero(codes == code)
        source = tuple(column[int(rows[0])].as_py() for column in sources)
        highest = np.maximum.accumulate(np.concatenate([[after.get(source, -1)], offsets[rows]]))
        new[rows] = offsets[rows] > highest[:-1]
        after[source] = int(highest[-1])
    return new, after
