"""Avro schema resolution: how each field of the reader is taken from what a writer wrote, and why it cannot be.

As the specification has it: fields by name or alias, in any order; a default for what is not written; int, long, float
and double promoted upwards; string and bytes for each other; unions in any order, on either side, by the branch that a
record holds. Two things are read beyond it, since most generators of schemas write them: an enum as the string of its
symbol, and a double as the nearest float, which is what the model gets in any case.
A timestamp is not read in another unit: that would be another time.
Source: Avro 1.12 specification, Schema Resolution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from weir.core.errors import Refused
from weir.core.rejects import Reason
from weir.wire import shape
from weir.wire.avro_types import REMEDY, Type, unqualified
from weir.wire.shape import FieldShape, Kind, Shape

NUMBERS: Final = frozenset({"int", "long", "float", "double"})
_READS: Final[Mapping[Kind, frozenset[str]]] = {
    Kind.STRING: frozenset({"string", "bytes", "enum"}),
    Kind.BYTES: frozenset({"string", "bytes"}),
    Kind.INT: frozenset({"int"}),
    Kind.LONG: frozenset({"int", "long"}),
    Kind.FLOAT: NUMBERS,
    Kind.DOUBLE: NUMBERS,
    Kind.BOOLEAN: frozenset({"boolean"}),
    Kind.TIMESTAMP_MILLIS: frozenset({"int", "long"}),
    Kind.TIMESTAMP_MICROS: frozenset({"int", "long"}),
    Kind.AMOUNTS: frozenset({"map"}),
}
_TIMES: Final = (Kind.TIMESTAMP_MILLIS, Kind.TIMESTAMP_MICROS)

Faults = dict[int, tuple[Reason, str]]  # row -> why it cannot be read


@dataclass(frozen=True, slots=True)
class Column:
    """One field of the reader. source: index of the codec's column, None for the default; symbols: of an enum."""

    field: FieldShape
    source: int | None
    symbols: tuple[str, ...] = ()

    def faults(self, written: pa.Array) -> Faults:
        """Rows that cannot be read although the writer's type can."""
        found: Faults = {}
        if self.symbols:
            index = np.frombuffer(written.buffers()[1], np.int64, len(written), written.offset * 8)
            wrong = (index < 0) | (index >= len(self.symbols))
            if written.null_count:
                wrong &= written.is_valid().to_numpy(zero_copy_only=False)
            for row in np.flatnonzero(wrong).tolist():
                found[row] = (
                    Reason.UNDECODABLE,
                    f"field {self.field.name} is symbol {index[row]} of {len(self.symbols)}",
                )
        if written.null_count and not self.field.nullable:
            null = written.is_null().to_numpy(zero_copy_only=False)
            found |= {
                row: (Reason.MISSING, f"field {self.field.name} is null") for row in np.flatnonzero(null).tolist()
            }
        return found

    def default(self, n: int) -> pa.Array:
        """n times what the reader says of a field that is not written."""
        return pa.repeat(pa.scalar(self.field.default_value, shape.ARROW[self.field.kind]), n)

    def read(self, written: pa.Array) -> pa.Array:
        """The codec's column as the reader's; a view wherever the bytes are the same."""
        wanted = shape.ARROW[self.field.kind]
        if written.type == wanted and not self.symbols:
            return written
        if self.symbols:
            return pa.array(self.symbols, wanted).take(written)
        if self.field.kind in _TIMES:
            return written.view(wanted)
        if pa.types.is_string(written.type) or pa.types.is_binary(written.type):
            return written.view(wanted)
        # safe=False: Avro promotes a long to a float whether or not every digit survives
        return written.cast(wanted, safe=False)


def unreadable(field: FieldShape, written: Type) -> str | None:
    """Why a value of a type that is no union cannot be read as the field; None when it can."""
    if written.kind == "null":
        return None if field.nullable else f"field {field.name} is null"
    wrong = written.kind not in _READS[field.kind]
    if field.kind in _TIMES and (written.logical == "date" or "time" in written.logical):
        wrong |= written.logical != field.kind
    if written.kind == "map" and not wrong:
        wrong = written.of[0].kind not in NUMBERS
    return f"field {field.name} is written as {written}, not as {field.kind}" if wrong else None


def check_name(reader: Shape, writer: Type) -> None:
    """Raises Refused when the writer's record is another one."""
    if writer.kind != "record":
        raise Refused(f"it is of type {writer}, not a record", remedy=REMEDY)
    known = {unqualified(name) for name in (reader.fullname, *reader.aliases)}
    if unqualified(writer.name) not in known:
        raise Refused(f"its record is {writer.name}, not {reader.fullname}", remedy=REMEDY)


def match(reader: Shape, writer: Type) -> dict[str, FieldShape]:
    """Written field -> the reader's field that is read from it. Raises Refused naming what cannot be read.

    A written field that has the name of one of the reader's is never taken by the alias of another.
    """
    written = dict(zip(writer.fields, writer.of, strict=True))
    own = {field.name for field in reader.fields}
    found: dict[str, FieldShape] = {}
    for field in reader.fields:
        names = (field.name, *(alias for alias in field.aliases if alias not in own and alias not in found))
        name = next((name for name in names if name in written), None)
        if name is None:
            if field.default is shape.NO_DEFAULT:
                raise Refused(f"field {field.name} is neither written nor has a default", remedy=REMEDY)
            continue
        reasons = [unreadable(field, branch) for branch in written[name].branches]
        if None not in reasons:
            raise Refused(f"field {field.name} is written as {written[name]}, not as {field.kind}", remedy=REMEDY)
        found[name] = field
    return found
