"""Pieces of many records as the records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from weir.native.loops import Loops, Octets, loops
from weir.wire.avro_encode import Piece

_MOST_BYTES: Final = 2**31 - 1  # of an Arrow array of byte strings


def joined(pieces: Sequence[Piece], rows: int) -> pa.BinaryArray:
    """The pieces of each row, one after the other: binary[rows], no nulls.

    pieces: bytes that all rows share, or binary[rows], null for no bytes; at least one.
    """
    if not any(isinstance(piece, pa.Array) for piece in pieces):
        return pa.repeat(pa.scalar(b"".join(pieces), pa.binary()), rows)
    compiled = loops()
    if compiled is not None:
        found = _by_loop(compiled, pieces, rows)
        if found is not None:
            return found
    scalars = [pa.scalar(piece, pa.binary()) if isinstance(piece, bytes) else piece for piece in pieces]
    nothing = pa.scalar(b"", pa.binary())
    return pc.binary_join_element_wise(*scalars, nothing, null_handling="replace", null_replacement="")


def _by_loop(compiled: Loops, pieces: Sequence[Piece], rows: int) -> pa.BinaryArray | None:
    """The same by a compiled loop; None for more bytes than one array holds."""
    cut = [piece if isinstance(piece, bytes) else _cut(piece) for piece in pieces]
    own = [ends for ends, _ in (piece for piece in cut if not isinstance(piece, bytes))]
    shared = sum(len(piece) for piece in cut if isinstance(piece, bytes))
    size = shared * rows + sum(int(ends[-1]) - int(ends[0]) for ends in own)
    if size > _MOST_BYTES:
        return None
    ends = np.arange(0, shared * rows + 1, shared, dtype=np.int32) if shared else np.zeros(rows + 1, np.int32)
    for more in own:
        ends += more
        ends -= more[0]
    memory = pa.allocate_buffer(size)
    compiled.join(cut, rows, np.frombuffer(memory, np.uint8))
    return pa.BinaryArray.from_buffers(pa.binary(), rows, [None, pa.py_buffer(ends), memory])


def _cut(values: pa.BinaryArray) -> tuple[npt.NDArray[np.int32], Octets]:
    """Where each value lies, and the memory. Nothing promises that a null has no bytes."""
    if values.null_count:
        values = values.fill_null(b"")
    _, offsets, memory = values.buffers()
    ends = np.frombuffer(offsets, np.int32)[values.offset : values.offset + len(values) + 1]
    return ends, np.frombuffer(memory, np.uint8) if memory is not None and memory.size else np.empty(0, np.uint8)
