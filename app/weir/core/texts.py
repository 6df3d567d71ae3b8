"""Words of a row as one binary value, and back: the length of each, -1 for none, and behind the lengths the words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from weir.core.arrow import buffers_of

SIZE: Final = np.dtype("<i4")


def packed(columns: Sequence[pa.Array]) -> pa.Array:
    """Columns of n texts -> binary[n].

    >>> packed([pa.array(["ab", None]), pa.array(["c", ""])]).to_pylist()[1].hex()
    'ffffffff00000000'
    """
    sizes = [pc.binary_length(column).fill_null(-1).to_numpy(zero_copy_only=False) for column in columns]
    head = np.ascontiguousarray(np.stack(sizes, axis=1).astype(SIZE, copy=False))
    ends = np.arange(len(head) + 1, dtype=np.int32) * np.int32(len(columns) * SIZE.itemsize)
    heads = pa.BinaryArray.from_buffers(pa.binary(), len(head), [None, pa.py_buffer(ends), pa.py_buffer(head)])
    words = [column.view(pa.binary()) for column in columns]
    nothing = pa.scalar(b"", pa.binary())
    return pc.binary_join_element_wise(heads, *words, nothing, null_handling="replace", null_replacement="")


def are_texts(values: pa.Array, width: int) -> npt.NDArray[np.bool_]:
    """Which of n binary values are `width` lengths, -1 for none, and texts of as many bytes."""
    found = pc.binary_length(values).to_numpy(zero_copy_only=False)
    if not width:
        whole: npt.NDArray[np.bool_] = found == 0
        return whole
    fits: npt.NDArray[np.bool_] = found >= width * SIZE.itemsize
    sizes, _ = parted(values if fits.all() else values.filter(pa.array(fits)), width)
    ends = np.maximum(sizes, 0).sum(axis=1, dtype=np.int64) + width * SIZE.itemsize
    fits[fits] = (sizes >= -1).all(axis=1) & (ends == found[fits])
    return fits


def columns(values: pa.Array, width: int) -> list[pa.Array]:
    """The inverse of `packed`, of values for which `are_texts`: `width` columns of n texts.

    >>> [column.to_pylist() for column in columns(packed([pa.array(["ab", None]), pa.array(["c", ""])]), 2)]
    [['ab', None], ['c', '']]
    """
    sizes, octets = parted(values, width)
    ends = np.concatenate([[0], np.cumsum(np.maximum(sizes, 0).reshape(-1), dtype=np.int64)]).astype(np.int32)
    flat = pa.StringArray.from_buffers(sizes.size, pa.py_buffer(ends), pa.py_buffer(octets))
    at = np.arange(sizes.size).reshape(sizes.shape)
    nothing = pa.scalar(None, pa.string())
    return [
        pc.if_else(pa.array(sizes[:, column] >= 0), flat.take(pa.array(at[:, column])), nothing)
        for column in range(width)
    ]


def parted(values: pa.Array, width: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Lengths, int32[n, width], and the bytes of all texts behind each other, of values that are long enough."""
    offsets, memory = buffers_of(values)
    head = width * SIZE.itemsize
    lengths = np.stack([np.full(len(values), head), np.diff(offsets) - head], axis=1).reshape(-1)
    is_text = np.repeat(np.tile([False, True], len(values)), lengths)
    octets = memory[offsets[0] : offsets[-1]]
    return octets[~is_text].view(SIZE).reshape(len(values), width), octets[is_text]
