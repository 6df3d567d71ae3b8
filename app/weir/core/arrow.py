"""Arrow's strings, byte strings and maps as the memory that they are, numbers as arrays, and columns by name."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Rows = TypeVar("Rows", pa.RecordBatch, pa.Table)
Number = TypeVar("Number", bound=np.generic)


def buffers_of(values: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Where each of n values lies: value i is memory[offsets[i] : offsets[i + 1]], nothing for a null.

    values: binary, large_binary, string or large_string. Returns offsets, int64[n + 1], and memory, uint8, a view.

    >>> offsets, memory = buffers_of(pa.array([b"ab", None, b"c"]).slice(1))
    >>> offsets.tolist(), memory[offsets[0] : offsets[-1]].tobytes()
    ([2, 2, 3], b'c')
    """
    nothing = np.empty(0, np.uint8)
    if not len(values):
        return np.zeros(1, np.int64), nothing  # Arrow may give an empty array no buffers
    wide = values.type in (pa.large_binary(), pa.large_string())
    _, offset_buffer, data = values.buffers()
    stored = np.frombuffer(offset_buffer, np.int64 if wide else np.int32)
    offsets = stored[values.offset : values.offset + len(values) + 1].astype(np.int64, copy=False)
    return offsets, np.frombuffer(data, np.uint8) if data is not None and data.size else nothing


def entries_of(maps: pa.MapArray) -> tuple[npt.NDArray[np.int64], pa.Array, pa.Array]:
    """Entries of n maps, one after the other: those of map i are bounds[i] to bounds[i + 1] of the keys and the items.

    Returns bounds, int64[n + 1], from 0; keys; items.

    >>> maps = pa.array([[("z", 9)], [("a", 1)], [], [("a", 2), ("b", 3)]], pa.map_(pa.string(), pa.int64())).slice(1)
    >>> bounds, keys, items = entries_of(maps)
    >>> bounds.tolist(), keys.to_pylist(), items.to_pylist()
    ([0, 1, 1, 3], ['a', 'a', 'b'], [1, 2, 3])
    """
    offsets = maps.offsets.to_numpy().astype(np.int64)
    bounds = offsets - offsets[0]
    return bounds, maps.keys.slice(offsets[0], bounds[-1]), maps.items.slice(offsets[0], bounds[-1])


def unpack(packed: pa.Array, dtype: np.dtype[Number], width: int) -> npt.NDArray[Number]:
    r"""n packed rows as an array [n, width]; a view of the buffer where that is aligned.

    packed: n binary values of width * itemsize bytes each, little-endian, no nulls.
    Raises ValueError when a value is null or has another length.

    >>> unpack(pa.array([b"\x01\x02", b"\x03\x04"]), np.dtype("u1"), 2).tolist()
    [[1, 2], [3, 4]]
    """
    n, size = len(packed), width * dtype.itemsize
    if packed.null_count:
        raise ValueError(f"{packed.null_count} of {n} packed values are null")
    step = np.int64 if pa.types.is_large_binary(packed.type) else np.int32
    _, starts, data = packed.buffers()
    offsets = np.frombuffer(starts, step)[packed.offset : packed.offset + n + 1]
    if not np.array_equal(np.diff(offsets), np.full(n, size)):
        found = ", ".join(map(str, sorted(set(np.diff(offsets).tolist()))[:5]))
        raise ValueError(f"packed values of {found} bytes where {size} = {width} x {dtype.name} are expected")
    if not n or not size:
        return np.empty((n, width), dtype)
    raw = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]]
    return np.require(raw.view(dtype).reshape(n, width), requirements="A")


def floats_of(values: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """Numbers as float64[n]; NaN for null. A whole number that float64 does not have is rounded.

    >>> floats_of(pa.array([1, None])).tolist()
    [1.0, nan]
    """
    found: npt.NDArray[np.float64] = (
        pc.cast(values, pa.float64(), safe=False).fill_null(np.nan).to_numpy(zero_copy_only=False)
    )
    return found


def place_of(name: str, rows: pa.RecordBatch | pa.Table) -> int | None:
    """Where the one column of that name stands; None when there is none. Raises KeyError when there are several.

    Quick also beside thousands of others.

    >>> rows = pa.table([pa.array([1]), pa.array([2]), pa.array([3])], names=["a", "b", "b"])
    >>> place_of("a", rows), place_of("c", rows)
    (0, None)
    """
    places = rows.schema.get_all_field_indices(name)
    if len(places) > 1:
        raise KeyError(f"column {name} is there twice")
    return places[0] if places else None


def replaced(rows: Rows, name: str, values: pa.Array) -> Rows:
    """The same rows with other values in one column. Raises KeyError when there is none of that name.

    >>> replaced(pa.table({"a": [1], "b": [2]}), "a", pa.array([3])).to_pylist()
    [{'a': 3, 'b': 2}]
    """
    place = place_of(name, rows)
    if place is None:
        raise KeyError(name)
    return rows.set_column(place, name, values)
