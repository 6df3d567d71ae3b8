"""Columns as the bytes that Avro writes for them: what is the same in every row once, the rest as an array.

Avro writes a record as its fields, one after the other, so that a batch of records is a join of such pieces.
Source: Avro 1.12 specification, binary encoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from weir.core.arrow import buffers_of, entries_of
from weir.wire.avro_scalar import zigzag
from weir.wire.shape import FieldShape, Kind

Octets = npt.NDArray[np.uint8]
Piece: TypeAlias = "bytes | pa.Array"

_WIDE: Final[dict[Kind, np.dtype[Any]]] = {Kind.FLOAT: np.dtype("<f4"), Kind.DOUBLE: np.dtype("<f8")}


def pieces(field: FieldShape, column: pa.Array) -> Iterator[Piece]:
    """The bytes of n >= 1 values: those that all rows share, or an array of n values, null or empty for no bytes.

    column: of the field's Arrow type, with nulls only where the field may be null.
    """
    present = None
    if field.nullable:
        if column.null_count in (0, len(column)):
            branch = field.null_first if not column.null_count else not field.null_first
            yield zigzag(int(branch))
            if column.null_count:
                return
        else:
            present = column.is_valid().to_numpy(zero_copy_only=False)
            yield _cut(np.where(present, 2 * field.null_first, 2 * (not field.null_first)).astype(np.uint8)[:, None])
    if field.kind in (Kind.STRING, Kind.BYTES):
        offsets, _ = buffers_of(column)
        yield _varints(np.diff(offsets), present)
        yield column.view(pa.binary())
    elif field.kind is Kind.AMOUNTS:
        counts, entries = _maps(column)
        yield _varints(counts, present)
        yield entries
        yield _cut(np.zeros((len(column), 1), np.uint8), counts > 0)
    elif field.kind in _WIDE:
        yield _cut(_values(column, _WIDE[field.kind]).view(np.uint8).reshape(len(column), -1), present)
    elif field.kind is Kind.BOOLEAN:
        yield _cut(column.cast(pa.uint8()).fill_null(0).to_numpy()[:, None], present)
    else:
        width = np.int32 if field.kind is Kind.INT else np.int64
        yield _varints(_values(column, np.dtype(width)).astype(np.int64), present)


def _maps(column: pa.Array) -> tuple[npt.NDArray[np.int64], pa.Array]:
    """How many entries each map has, and their bytes, one after the other: binary[n]."""
    bounds, keys, items = entries_of(column)
    counts = np.diff(bounds)
    if not len(keys):
        return counts, pa.repeat(pa.scalar(b""), len(column))
    sizes = np.diff(buffers_of(keys)[0])
    parts = (
        _varints(sizes, None),
        keys.view(pa.binary()),
        _cut(_values(items, _WIDE[Kind.DOUBLE]).view(np.uint8).reshape(len(keys), -1)),
    )
    joined = pc.binary_join_element_wise(*(pa.scalar(part) if isinstance(part, bytes) else part for part in parts), b"")
    ends, octets = buffers_of(joined)
    at = pa.py_buffer(ends[bounds].astype(np.int32))
    return counts, pa.BinaryArray.from_buffers(pa.binary(), len(column), [None, at, pa.py_buffer(octets)])


def _values(column: pa.Array, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """The column's memory; anything where it is null."""
    return np.frombuffer(column.buffers()[1], dtype, len(column), column.offset * dtype.itemsize)


def _varints(numbers: npt.NDArray[np.int64], present: npt.NDArray[np.bool_] | None) -> Piece:
    """Avro longs: zigzag, then seven bits a byte, the lowest first, and a high bit on each byte but the last."""
    if present is None and (numbers == numbers[0]).all():
        return zigzag(int(numbers[0]))
    left = ((numbers << 1) ^ (numbers >> 63)).view(np.uint64)
    least, most = _width(int(left.min())), _width(int(left.max()))
    octets = np.empty((len(left), most), np.uint8)
    for byte in range(most):
        octets[:, byte] = left >> np.uint64(7 * byte)
    if least == most:
        octets[:, :-1] |= 0x80
        return _cut(octets, present)
    more = left[:, None] >= np.uint64(1) << np.arange(7, 7 * most, 7, dtype=np.uint64)
    octets[:, :-1] |= more.astype(np.uint8) << 7
    return _cut(octets, present, 1 + np.count_nonzero(more, axis=1))


def _width(number: int) -> int:
    """Bytes of a number in groups of seven bits."""
    return max(1, -(-number.bit_length() // 7))


def _cut(
    octets: Octets, present: npt.NDArray[np.bool_] | None = None, width: npt.NDArray[np.int64] | None = None
) -> pa.Array:
    """The first `width` bytes of each row that is present; of the others nothing. octets: uint8[n, k]."""
    n, k = octets.shape
    if present is None and (width is None or (width == k).all()):
        ends = np.arange(n + 1, dtype=np.int32) * np.int32(k)
        return pa.BinaryArray.from_buffers(
            pa.binary(), n, [None, pa.py_buffer(ends), pa.py_buffer(np.ascontiguousarray(octets))]
        )
    kept = np.full(n, k) if width is None else width
    if present is not None:
        kept = np.where(present, kept, 0)
    flat = octets[np.arange(k) < kept[:, None]]
    ends = np.concatenate([[0], np.cumsum(kept)]).astype(np.int32)
    return pa.BinaryArray.from_buffers(pa.binary(), n, [None, pa.py_buffer(ends), pa.py_buffer(flat)])
