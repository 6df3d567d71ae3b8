"""Avro bodies of one schema -> columns, by the Rust codec, with the checks that it does not make."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyruhvro

from app.core.octets import layout
from app.wire import shape
from app.wire.resolve import Resolution, resolve
from app.wire.shape import Kind

# The codec reads the frame too, as two fields before the body, so that no record is cut (65 ns each, measured).
_FRAME: Final = ({"name": "_magic", "type": "boolean"}, {"name": "_schema_id", "type": "float"})

# The codec does not say how many bytes it read, and takes a record with bytes left over. So 8 bytes that occur in no
# record follow every one, and are read as one more field: they come back only if the body ended where its schema does.
_TAIL_FIELD: Final = ({"name": "_tail", "type": "double"},)
_TAIL: Final = b"weir:end"

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
    offsets, memory = layout(values)
    tail = _tail_for(memory[offsets[0] : offsets[-1]].tobytes())
    ends, octets = layout(pc.binary_join_element_wise(values, pa.scalar(tail, values.type), _nothing(values.type)))
    good: list[tuple[pa.RecordBatch, npt.NDArray[np.int32]]] = []
    failed: dict[int, str] = {}
    pending = list(reversed(_calls(ends)))
    while pending:
        lo, hi = pending.pop()
        read = _read(writer, octets[ends[lo] : ends[hi]].tobytes(), hi - lo, tail)
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


def _nothing(kind: pa.DataType) -> pa.Scalar:
    return pa.scalar(b"", kind)


def _calls(ends: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Slices [lo, hi) of at most _CALL_BYTES each; a record alone may be larger. ends: int64[n + 1], from 0."""
    part = (ends[1:] - 1) // _CALL_BYTES
    cuts = [0, *(np.flatnonzero(np.diff(part)) + 1).tolist(), len(part)]
    return [(lo, hi) for lo, hi in pairwise(cuts) if hi > lo]


def _tail_for(joined: bytes) -> bytes:
    """8 bytes that are not in `joined`: _TAIL, but for a sender who knows this file.

    The first byte comes once, so left-over bytes can only imitate a tail by containing it whole.
    """
    tail = _TAIL
    while tail in joined:
        middle = hashlib.blake2b(joined, digest_size=6, key=tail).digest()
        tail = b"w" + bytes(octet | 0x80 for octet in middle) + b"e"
    return tail


def _read(
    writer: Writer, records: bytes, count: int, tail: bytes
) -> tuple[pa.RecordBatch, npt.NDArray[np.int64], dict[int, str]] | str:
    """Columns of the reader, which records they are and why others are not; or why the slice fails as a whole.

    records: `count` of them, each with its tail, one after the other. They are read as one Avro array. There are
    `count` tails in all, so where every element ends with one, every element is one record.
    """
    try:
        whole = pyruhvro.deserialize_array([_length(count) + records + b"\0"], writer.codec_schema)
    except ValueError as error:
        return f"the body does not fit its schema: {error}"
    elements = whole.column(0).values
    if len(elements) != count:
        return f"{count} records gave {len(elements)} rows"
    columns = elements.flatten()
    if (columns[-1].to_numpy() != np.frombuffer(tail, "<f8")).any():
        return "the body has bytes left over"
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


def _length(count: int) -> bytes:
    r"""An Avro long that is not negative: zigzag, then seven bits a byte.

    >>> _length(64)
    b'\x80\x01'
    """
    left, octets = 2 * count, bytearray()
    while left > 0x7F:
        octets.append(left & 0x7F | 0x80)
        left >>= 7
    octets.append(left)
    return bytes(octets)


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
