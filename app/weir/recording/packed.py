"""Packed bytes to map columns, by the buffer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.arrow import buffers_of
from weir.core.texts import parted

RANGE = np.dtype([("first", "<i8"), ("last", "<i8")])


def structs(packed: pa.Array, dtype: np.dtype[np.void] = RANGE) -> pa.ListArray:
    """n lists of structs from n binary values of such items one after the other, no nulls. dtype: with names.

    >>> structs(pa.array([b"", np.array([3, 4, 8, 8], "<i8").tobytes()])).to_pylist()
    [[], [{'first': 3, 'last': 4}, {'first': 8, 'last': 8}]]
    """
    offsets, octets = buffers_of(packed)
    found = np.frombuffer(octets[offsets[0] : offsets[-1]].tobytes(), dtype)
    names = list(dtype.names or ())
    columns = [pa.array(np.ascontiguousarray(found[name])) for name in names]
    return _lists_of(pa.StructArray.from_arrays(columns, names=names), offsets, dtype)


def arrays(packed: pa.Array, dtype: np.dtype[np.generic]) -> pa.ListArray:
    """n lists of numbers from n binary values of such numbers one after the other, no nulls.

    >>> arrays(pa.array([b"", np.array([3, 4], "<i4").tobytes()]), np.dtype("<i4")).to_pylist()
    [[], [3, 4]]
    """
    offsets, octets = buffers_of(packed)
    return _lists_of(pa.array(np.frombuffer(octets[offsets[0] : offsets[-1]].tobytes(), dtype)), offsets, dtype)


def _lists_of(items: pa.Array, offsets: npt.NDArray[np.int64], dtype: np.dtype[np.generic]) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(((offsets - offsets[0]) // dtype.itemsize).astype(np.int32)), items)


def lists(columns: Sequence[pa.Array], chosen: npt.NDArray[np.bool_]) -> pa.ListArray:
    """n lists: of a chosen row the values of its columns, of the others none.

    >>> lists([pa.array(["a", "b"]), pa.array(["c", "d"])], np.array([False, True])).to_pylist()
    [[], ['b', 'd']]
    """
    offsets = np.concatenate([[0], np.cumsum(chosen)]) * len(columns)
    rows = np.flatnonzero(chosen)
    values = pa.concat_arrays([column.take(pa.array(rows)) for column in columns])
    order = np.arange(len(values)).reshape(len(columns), -1).T.reshape(-1)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values.take(pa.array(order)))


def maps(groups: Sequence[tuple[npt.NDArray[np.intp], Sequence[str], npt.NDArray[np.generic]]], n: int) -> pa.MapArray:
    """One map column of n rows whose keys are names, from groups of rows that share their names.

    groups: (rows, names, values [len(rows), len(names)]); the rows of all groups are 0..n-1, each once.
    The keys are dictionary-encoded, so a name is stored once and an entry costs one small integer beside its value.
    """
    words = sorted({name for _, names, _ in groups for name in names})
    code = {name: position for position, name in enumerate(words)}
    index = np.min_scalar_type(-max(len(words), 1))
    lengths = np.zeros(n, np.int64)
    for rows, names, _ in groups:
        lengths[rows] = len(names)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    if len(groups) == 1:
        _, names, values = groups[0]
        keys = np.tile(np.array([code[name] for name in names], index), n)
        items = values.reshape(-1)
    else:
        keys = np.empty(offsets[-1], index)
        items = np.empty(offsets[-1], groups[0][2].dtype if groups else np.float32)
        for rows, names, values in groups:
            places = offsets[rows][:, None] + np.arange(len(names))
            keys[places] = np.array([code[name] for name in names], index)
            items[places] = values
    entries = pa.DictionaryArray.from_arrays(pa.array(keys), pa.array(words, pa.string()))
    return pa.MapArray.from_arrays(pa.array(offsets, pa.int32()), entries, pa.array(items))


def texts(groups: Sequence[tuple[npt.NDArray[np.intp], Sequence[str], pa.Array]]) -> pa.MapArray:
    """One map column of all rows, name -> text; what is null in a row has no entry there.

    groups: (rows, names, binary values for which `are_texts`, or any where there are no names), as for `maps`.

    >>> both = np.array([2, 1], "<i4").tobytes() + b"abc", np.array([-1, 0], "<i4").tobytes()
    >>> texts([(np.arange(2), ("x", "y"), pa.array(both))]).to_pylist()
    [[('x', b'ab'), ('y', b'c')], [('y', b'')]]
    """
    words = sorted({name for _, names, _ in groups for name in names})
    parts = [_texts_of(len(rows), names, mine, words) for rows, names, mine in groups]
    if len(parts) == 1:
        return parts[0]
    order = np.argsort(np.concatenate([rows for rows, _, _ in groups] or [np.empty(0, np.intp)]))
    return pa.concat_arrays(parts or [_texts_of(0, (), pa.array([], pa.binary()), words)]).take(pa.array(order))


def _texts_of(n: int, names: Sequence[str], packed: pa.Array, words: Sequence[str]) -> pa.MapArray:
    """The map of rows that share their names. words: of all keys."""
    sizes, octets = np.empty((n, 0), np.int32), np.empty(0, np.uint8)
    if names:
        sizes, octets = parted(packed, len(names))
    there = sizes >= 0
    codes = np.array([words.index(name) for name in names], np.int32)
    keys = pa.DictionaryArray.from_arrays(
        pa.array(np.broadcast_to(codes, sizes.shape)[there]), pa.array(words, pa.string())
    )
    ends = np.concatenate([[0], np.cumsum(sizes[there], dtype=np.int64)]).astype(np.int32)
    values = pa.BinaryArray.from_buffers(pa.binary(), len(keys), [None, pa.py_buffer(ends), pa.py_buffer(octets)])
    bounds = np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int32)
    return pa.MapArray.from_arrays(pa.array(bounds), keys, values)
