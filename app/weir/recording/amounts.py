"""Columns of named amounts, by the buffer: n maps of text to double."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from weir.core.arrow import entries_of


def any_entry(maps: pa.MapArray, entries: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which of n maps have an entry that is marked; entries: bool, those of all maps, one after the other.

    >>> maps = pa.array([[("a", 1.0)], [], [("a", 2.0), ("b", 3.0)]], pa.map_(pa.string(), pa.float64()))
    >>> any_entry(maps, np.array([False, False, True])).tolist()
    [False, False, True]
    """
    bounds, _, _ = entries_of(maps)
    marked = np.concatenate([[0], np.cumsum(entries)])
    found: npt.NDArray[np.bool_] = marked[bounds[1:]] > marked[bounds[:-1]]
    return found


def infinite(maps: pa.MapArray) -> npt.NDArray[np.bool_]:
    """Which of n maps have an amount that is no number."""
    _, _, items = entries_of(maps)
    return any_entry(maps, ~pc.is_finite(items).to_numpy(zero_copy_only=False))


def doubled(maps: pa.MapArray) -> npt.NDArray[np.bool_]:
    """Which of n maps name something twice.

    >>> maps = pa.array([[("a", 1.0), ("a", 1.0)], [("a", 2.0), ("b", 3.0)]], pa.map_(pa.string(), pa.float64()))
    >>> doubled(maps).tolist()
    [True, False]
    """
    bounds, keys, _ = entries_of(maps)
    if not len(keys):
        return np.zeros(len(maps), np.bool_)
    names = keys.dictionary_encode()
    row = np.repeat(np.arange(len(maps)), np.diff(bounds))
    # Sorted by map and name, what is named twice stands beside itself.
    entries = row * len(names.dictionary) + names.indices.to_numpy(zero_copy_only=False)
    entries.sort()
    twice = np.zeros(len(maps), np.bool_)
    twice[entries[1:][entries[1:] == entries[:-1]] // len(names.dictionary)] = True
    return twice


def emptied(maps: pa.MapArray, chosen: npt.NDArray[np.bool_]) -> pa.MapArray:
    """The same n maps, but the chosen ones without entries.

    >>> maps = pa.array([[("a", 1.0)], [("a", 2.0), ("b", 3.0)]], pa.map_(pa.string(), pa.float64()))
    >>> emptied(maps, np.array([True, False])).to_pylist()
    [[], [('a', 2.0), ('b', 3.0)]]
    """
    if not chosen.any():
        return maps
    bounds, *entries = entries_of(maps)
    counts = np.diff(bounds)
    keys, amounts = (part.filter(pa.array(np.repeat(~chosen, counts))) for part in entries)
    ends = np.concatenate([[0], np.cumsum(np.where(chosen, 0, counts))])
    return pa.MapArray.from_arrays(pa.array(ends, pa.int32()), keys, amounts)
