"""Avro bodies of one schema -> columns: by a compiled loop where all are as they should be, else by the Rust codec.

The checks that neither makes are here.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyruhvro

from weir.core.arrow import buffers_of
from weir.core.rejects import Reason
from weir.native.loops import compiled, loops
from weir.wire import avro_types, resolve, shape
from weir.wire.avro_kinds import compiles
from weir.wire.avro_reading import Layout, Reading
from weir.wire.avro_scalar import zigzag
from weir.wire.avro_strip import Step, strip
from weir.wire.avro_types import Type
from weir.wire.frame import HEADER_BYTES
from weir.wire.resolve import Column, Faults
from weir.wire.shape import FieldShape, Kind, Shape

# Types of values that are one column: an enum is the number of its symbol, a map is one of numbers.
_FLAT: Final[Mapping[str, Kind]] = {
    "boolean": Kind.BOOLEAN,
    "int": Kind.INT,
    "long": Kind.LONG,
    "float": Kind.FLOAT,
    "double": Kind.DOUBLE,
    "string": Kind.STRING,
    "bytes": Kind.BYTES,
    "enum": Kind.LONG,
    "map": Kind.AMOUNTS,
}

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
_NARROW_BYTES: Final = 2**31 - 1  # where an end of 32 bits ends


@dataclass(frozen=True, slots=True)
class Writer:
    """One schema id, ready to be read.

    codec_schema: what the codec is told. fields: what it reads, in wire order.
    columns: the way of each of the reader's fields. reader: the shape that rows come out under.
    steps: what becomes of each written field first, for bodies that hold more than a row; empty where they do not.
    layout: of what the compiled loop reads; None where it does not read this writer.
    """

    codec_schema: str
    fields: tuple[FieldShape, ...]
    columns: tuple[Column, ...]
    reader: Shape
    steps: tuple[Step, ...] = ()
    layout: Layout | None = None

    @staticmethod
    def of(reader: str, writer: str) -> Writer:
        """For reading what `writer` wrote as `reader`, both Avro texts. Raises Refused when that cannot be."""
        to, written = shape.parse(reader), avro_types.parse(writer)
        resolve.check_name(to, written)
        read = resolve.match(to, written)
        fields: list[FieldShape] = []
        steps: list[Step] = []
        columns: dict[str, Column] = {}
        for name, of in zip(written.fields, written.of, strict=True):
            wanted, flat = read.get(name), _flat(name, of, read.get(name))
            into = wanted and FieldShape(name, wanted.kind, nullable=True, null_first=True, default=shape.NO_DEFAULT)
            steps.append(Step(name, of, keep=flat is not None, into=None if flat else into))
            if wanted is not None:
                symbols = next((branch.symbols for branch in of.branches if branch.symbols), ()) if flat else ()
                columns[wanted.name] = Column(wanted, len(fields), symbols)
            fields += [field for field in (flat or into,) if field is not None]
        element = shape.codec_schema(fields, before=_FRAME, after=_TAIL_FIELD)
        return Writer(
            codec_schema=_ARRAY % element,
            fields=tuple(fields),
            columns=tuple(columns.get(field.name, Column(field, None)) for field in to.fields),
            reader=to,
            steps=() if all(step.keep for step in steps) else tuple(steps),
            layout=Layout(fields) if compiles(fields) else None,
        )


def _flat(name: str, written: Type, wanted: FieldShape | None) -> FieldShape | None:
    """The written field as one that the codec reads, None when it does not.

    Strings and byte strings are the same on the wire: whether one must be text, the reader says.
    """
    values = [branch for branch in written.branches if branch.kind != "null"]
    nullable = written.kind == "union"
    if len(values) != 1 or len(written.branches) != 1 + nullable or values[0].kind not in _FLAT:
        return None
    if wanted is not None and resolve.unreadable(wanted, values[0]):
        return None  # only its null can be read
    if values[0].kind == "map" and wanted is None:
        return None
    kind = _FLAT[values[0].kind]
    if wanted is not None and {kind, wanted.kind} == {Kind.STRING, Kind.BYTES}:
        kind = wanted.kind
    null_first = written.branches[0].kind == "null"
    amounts = values[0].of[0].kind.replace("int", "long") if values[0].kind == "map" else "double"
    return FieldShape(name, kind, nullable, null_first, default=shape.NO_DEFAULT, amounts=amounts)


def halve(
    writer: Writer, values: pa.LargeBinaryArray
) -> tuple[list[tuple[pa.RecordBatch, npt.NDArray[np.int32]]], Faults]:
    """Good rows as (columns of the reader, int32 record indices) in record order, and why each other record failed.

    values: n framed records of this writer, no nulls. A slice that does not decode is halved until the bad records
    stand alone.
    """
    if writer.steps:
        return _halve_stripped(writer, values)
    ends, octets = _with_tails(values)
    good: list[tuple[pa.RecordBatch, npt.NDArray[np.int32]]] = []
    failed: Faults = {}
    pending = list(reversed(_calls(ends)))
    while pending:
        lo, hi = pending.pop()
        read = _read(writer, octets[ends[lo] : ends[hi]], hi - lo)
        if isinstance(read, str):
            if hi - lo == 1:
                failed[lo] = (Reason.UNDECODABLE, read)
            else:
                middle = (lo + hi) // 2
                pending += [(middle, hi), (lo, middle)]
            continue
        batch, keep, why = read
        failed |= {lo + i: fault for i, fault in why.items()}
        if len(keep):
            good.append((batch, (keep + lo).astype(np.int32)))
    return good, failed


def _halve_stripped(
    writer: Writer, values: pa.LargeBinaryArray
) -> tuple[list[tuple[pa.RecordBatch, npt.NDArray[np.int32]]], Faults]:
    """The same for bodies that hold more than a row. A loop over records: their fields end where their bytes say."""
    bodies, members, failed = [], [], {}
    for i, value in enumerate(values.to_pylist()):
        try:
            bodies.append(value[:HEADER_BYTES] + strip(value[HEADER_BYTES:], writer.steps))
            members.append(i)
        except ValueError as error:
            failed[i] = (Reason.UNDECODABLE, str(error))
    good, more = halve(replace(writer, steps=()), pa.array(bodies, pa.large_binary()))
    origin = np.array(members, np.int32)
    return [(rows, origin[at]) for rows, at in good], failed | {members[i]: fault for i, fault in more.items()}


def clean(writer: Writer, schema_id: int, values: pa.LargeBinaryArray) -> pa.RecordBatch | None:
    """All rows in one call, when every record has this writer's frame and body; None when one has not.

    values: n records, n >= 1, no nulls.
    """
    if writer.steps:
        return None
    ends, octets = buffers_of(values)
    if ends[-1] - ends[0] > _CALL_BYTES:
        return None
    copies, code = loops(), reading(writer)
    if copies is not None and code is not None and writer.layout is not None:
        columns = code.read(copies, writer.layout, schema_id, ends, octets)
        read = columns and _as_the_reader_wants(writer, columns, len(values))
    else:
        ends, octets = _with_tails(values)
        read = _read(writer, octets[: ends[-1]], len(values), schema_id)
    return None if not read or isinstance(read, str) or read[2] else read[0]


def reading(writer: Writer) -> Reading | None:
    """The compiled loop, where it reads what this writer writes."""
    return compiled(Reading) if writer.layout is not None else None


def _with_tails(values: pa.LargeBinaryArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Where each record ends with its tail, int64[n + 1] from 0, and the memory."""
    copies, n = loops(), len(values)
    ends, octets = buffers_of(values)
    if copies is None or ends[-1] > _NARROW_BYTES:
        tail, nothing = (pa.scalar(octets, values.type) for octets in (_TAIL, b""))
        return buffers_of(pc.binary_join_element_wise(values, tail, nothing))
    with_tails = ends - ends[0] + len(_TAIL) * np.arange(n + 1)
    memory = np.empty(with_tails[-1], np.uint8)
    copies.join([(ends.astype(np.int32), octets), _TAIL], n, memory)
    return with_tails, memory


def _calls(ends: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Slices [lo, hi) of at most _CALL_BYTES each; a record alone may be larger. ends: int64[n + 1], from 0."""
    part = (ends[1:] - 1) // _CALL_BYTES
    cuts = [0, *(np.flatnonzero(np.diff(part)) + 1).tolist(), len(part)]
    return [(lo, hi) for lo, hi in pairwise(cuts) if hi > lo]


def _read(
    writer: Writer, records: npt.NDArray[np.uint8], count: int, schema_id: int | None = None
) -> tuple[pa.RecordBatch, npt.NDArray[np.int64], Faults] | str:
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
    return _as_the_reader_wants(writer, columns[len(_FRAME) : -len(_TAIL_FIELD)], count)


def _as_the_reader_wants(
    writer: Writer, columns: list[pa.Array], count: int
) -> tuple[pa.RecordBatch, npt.NDArray[np.int64], Faults] | str:
    """Columns of the writer as columns of the reader, with the checks of values; as `_read` gives them."""
    why: Faults = {}
    for field, column in zip(writer.fields, columns, strict=True):
        if field.kind in (Kind.STRING, Kind.AMOUNTS) and not _is_text(column):
            return f"field {field.name} is not UTF-8"
        if field.kind is Kind.INT and (past := np.flatnonzero(_past_32_bits(column)).tolist()):
            why |= dict.fromkeys(past, (Reason.UNDECODABLE, f"field {field.name} does not fit 32 bits"))
    for way in writer.columns:
        if way.source is not None:
            why |= way.faults(columns[way.source])
    keep = np.arange(count)
    if why:
        keep = np.setdiff1d(keep, list(why))
        columns = [column.take(pa.array(keep)) for column in columns]
    arrays = [way.default(len(keep)) if way.source is None else way.read(columns[way.source]) for way in writer.columns]
    return pa.RecordBatch.from_arrays(arrays, schema=writer.reader.arrow), keep, why


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
