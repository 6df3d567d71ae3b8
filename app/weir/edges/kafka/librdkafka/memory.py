"""Memory at addresses, as Arrow arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.native.loops import Loops, loops

Addresses = npt.NDArray[np.uint64]


def gather(addresses: Addresses, sizes: npt.NDArray[np.uint64]) -> pa.LargeBinaryArray:
    """n pieces of this process's memory, copied into one array; null where the address is 0.

    addresses, sizes: uint64[n], pieces that do not overlap.
    """
    null = addresses == 0
    if null.all():
        return pa.nulls(len(addresses), pa.large_binary())
    compiled = loops()
    return _taken(addresses, sizes, null) if compiled is None else _copied(compiled, addresses, sizes, null)


def _copied(
    compiled: Loops, addresses: Addresses, sizes: npt.NDArray[np.uint64], null: npt.NDArray[np.bool_]
) -> pa.LargeBinaryArray:
    """By a compiled loop."""
    n = len(addresses)
    ends = np.zeros(n + 1, np.int64)
    np.cumsum(np.where(null, 0, sizes), out=ends[1:])
    memory = pa.allocate_buffer(int(ends[-1]))
    compiled.gather(addresses, ends, np.frombuffer(memory, np.uint8))
    valid = pa.array(~null).buffers()[1] if null.any() else None
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), n, [valid, pa.py_buffer(ends), memory])


def _taken(addresses: Addresses, sizes: npt.NDArray[np.uint64], null: npt.NDArray[np.bool_]) -> pa.LargeBinaryArray:
    """By one copy of Arrow's.

    Memory from the lowest to the highest piece is described as 2n strings, a piece and the gap after it in turns, of
    which the pieces are taken.
    """
    n = len(addresses)
    base = int(addresses[~null].min())
    at = np.where(null, np.uint64(base), addresses)
    order = None if (at[1:] >= at[:-1]).all() else np.lexsort((sizes, at))
    begin = ((at if order is None else at[order]) - np.uint64(base)).astype(np.int64)
    offsets = np.empty(2 * n + 1, np.int64)
    offsets[0:-1:2] = begin
    offsets[1::2] = begin + (sizes if order is None else sizes[order]).astype(np.int64)
    offsets[-1] = offsets[-2]
    memory = pa.foreign_buffer(base, int(offsets[-1]))
    strings = pa.LargeBinaryArray.from_buffers(pa.large_binary(), 2 * n, [None, pa.py_buffer(offsets), memory])
    place = np.arange(n)
    if order is not None:
        place[order] = np.arange(n)
    return strings.take(pa.array(2 * place, mask=null if null.any() else None))
