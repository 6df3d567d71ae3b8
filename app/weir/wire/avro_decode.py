"""Avro bodies of one schema -> columns, by the Rust codec, with the checks that it does not make."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyruhvro

from weir.core.arrow import buffers_of
from weir.wire import shape
from weir.wire.avro_scalar import zigzag
from weir.wire.resolve import Resolution, resolve
from weir.wire.shape import Kind

# The codec reads the frame too, as two fields before the body, so that no record is cut (65 ns each, measured).
_FRAME: Final = ({"name": "_magic", "type": "boolean"}, {"name": "_schema_id", "type": "float"})

# The codec does not say how many bytes it read, and takes a record with bytes left over. So 8 bytes that nobody outside
# this process knows follow every record, and are read as one more field: they come back only if the body ended where
# its schema does. That a record holds them by accident has a chance of 2**-58 a byte, and alone it does no harm. The
# first byte comes once, so that a record's end and a tail's beginning never look like a tail.
_TAIL_FIELD: Final = ({"name": "_tail", "type": "double"},)
_TAIL: Final = b"w" + bytes(octet | 0x80 for octet in secrets.token_bytes(6)) + b"e"

# All records of a call go to the codec as one: an array of records costs a fifth less than a list of them, and the
# records stay one piece of memory.
_ARRAY: Final = '{"type": "record", "name": "Call", "fields": [{"name": "of", "type": {"type": "array", "items": %s}}]}'

# Arrow's string columns end at 2 GiB, where the codec panics; one call never gets near.
_CALL_BYTES: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Writer:
    """One schema id, ready to be read: the codec's schema, columns in wire order, and the way to the reader's."""

    codec_schema: str
    shape: shape.Shape
    resolution: Resolution

    @staticmethod
    def of(reader: str, writer: str) -> Writer:
        """For reading what `writer` wrote as `reader`, both Avro texts. Raises Refused when that cannot be."""
        written = shape.parse(writer)
        element = written.codec_schema(ints_as_longs=True, before=_FRAME, after=_TAIL_FIELD)
        return Writer(_ARRAY % element, written, resolve(reader, writer))


def halve(
    writer: Writer, values: pa.LargeBinaryArray
) -> tuple[list[tuple[pa.RecordBatch, npt.NDArray[np.int32]]], dict[int, str]]:
    """Good rows as (columns of the reader, int32 record indices) in record order, and why each other record failed.

    values: n framed records of this writer, no nulls. A slice that does not decode is halved until the bad records
    stand alone.
    """
    ends, octets = buffers_of(_with_tails(values))
    good: list[tuple[pa.RecordBatch, npt.NDArray[np.int32]]] = []
    failed: dict[int, str] = {}
    pending = list(reversed(_calls(ends)))
    while pending:
        lo, hi = pending.pop()
        read = _read(writer, octets[ends[lo] : ends[hi]], hi - lo)
        if isinstance(read, str):
            if hi - lo == 1:
                failed[lo] = read
            else:
                middle = (lo + hi) // 2
                pending += [(middle, hi), (lo, middle)]
            continue
        batch, keep, why = read
        failed |= {lo + i: text for i, text in why.items()}
        if len(keep):
            good.append((batch, (keep + lo).astype(np.int32)))
    return good, failed


def clean(writer: Writer, schema_id: int, values: pa.LargeBinaryArray) -> pa.RecordBatch | None:
    """All rows in one call, when every record has this writer's frame and body; None when one has not.

    values: n records, n >= 1, no nulls.
    """
    ends, octets = buffers_of(_with_tails(values))
    if ends[-1] > _CALL_BYTES:
        return None
    read = _read(writer, octets[: ends[-1]], len(values), schema_id)
    return None if isinstance(read, str) or read[2] else read[0]


def _with_tails(values: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
    tail, nothing = (pa.scalar(octets, values.type) for octets in (_TAIL, b""))
    return pc.binary_join_element_wise(values, tail, nothing)


def _calls(ends: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Slices [lo, hi) of at most _CALL_BYTES each; a record alone may be larger. ends: int64[n + 1], from 0."""
    part = (ends[1:] - 1) // _CALL_BYTES
    cuts = [0, *(np.flatnonzero(np.diff(part)) + 1).tolist(), len(part)]
    return [(lo, hi) for lo, hi in pairwise(cuts) if hi > lo]


def _read(
    writer: Writer, records: npt.NDArray[np.uint8], count: int, schema_id: int | None = None
) -> tuple[pa.RecordBatch, npt.NDArray[np.int64], dict[int, str]] | str:
    """Columns of the reader, which records they are and why others are not; or why the slice fails as a whole.

    records: `count` of them, each with its tail, one after the other. They are read as one Avro array. There are
    `count` tails in all, so where every element ends with one, every element is one record. schema_id: to be found in
    every frame; None when the frames were looked at before.
    """
    try:
        whole = pyruhvro.deserialize_array([b"".join((zigzag(count), records.data, b"\0"))], writer.codec_schema)
    except ValueError as error:
        return f"the body does not fit its schema: {error}"
    elements = whole.column(0).values
    if len(elements) != count:
        return f"{count} records gave {len(elements)} rows"
    columns = elements.flatten()
    if (_bits(columns[-1], np.int64) != np.frombuffer(_TAIL, np.int64)).any():
        return "the body has bytes left over"
    if schema_id is not None and (pc.any(columns[0]).as_py() or (_bits(columns[1], ">i4") != schema_id).any()):
        return "another frame"
    columns = columns[len(_FRAME) : -len(_TAIL_FIELD)]
    why: dict[int, str] = {}
    for field, column in zip(writer.shape.fields, columns, strict=True):
        if field.kind is Kind.STRING and not _is_text(column):
            return f"field {field.name} is not UTF-8"
        if field.kind is Kind.INT:
            why |= {int(i): f"field {field.name} does not fit 32 bits" for i in np.flatnonzero(_past_32_bits(column))}
    keep = np.arange(count)
    if why:
        keep = np.setdiff1d(keep, list(why))
        columns = [column.take(pa.array(keep)) for column in columns]
    fields = zip(writer.shape.fields, columns, strict=True)
    rows = pa.RecordBatch.from_arrays(
        [_as_declared(column, field.kind) for field, column in fields], schema=writer.shape.arrow
    )
    return writer.resolution.apply(rows), keep, why


def _bits(column: pa.Array, dtype: npt.DTypeLike) -> npt.NDArray[np.integer]:
    """The bytes of n floats without nulls as n integers of that type."""
    width = np.dtype(dtype).itemsize
    return np.frombuffer(column.buffers()[1], dtype, len(column), column.offset * width)


def _is_text(column: pa.Array) -> bool:
    """Whether every string is UTF-8; the codec does not look."""
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _past_32_bits(column: pa.Array) -> npt.NDArray[np.bool_]:
    """bool[n]: which values of an int64 column the declared `int` cannot hold."""
    values = np.frombuffer(column.buffers()[1], np.int64, len(column), column.offset * 8)
    past: npt.NDArray[np.bool_] = values != values.astype(np.int32)
    if column.null_count:
        past &= column.is_valid().to_numpy(zero_copy_only=False)
    return past


def _as_declared(column: pa.Array, kind: Kind) -> pa.Array:
    """A column as the codec gave it -> the type that the schema declares; a view wherever the bytes are the same."""
    wanted = shape.ARROW[kind]
    if column.type == wanted:
        return column
    return column.cast(wanted) if kind is Kind.INT else column.view(wanted)
