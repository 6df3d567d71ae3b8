"""Columns under a contract -> framed Avro records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from types import MappingProxyType
from typing import Any, Final

import pyarrow as pa

from weir.core.contract import Contract
from weir.native.loops import compiled
from weir.wire import frame, shape
from weir.wire.avro_encode import pieces
from weir.wire.avro_kinds import compiles
from weir.wire.avro_scalar import literal, writer
from weir.wire.avro_writing import Writing, parts_of
from weir.wire.join import joined
from weir.wire.shape import FieldShape

# Arrow's binary arrays end at 2 GiB; one join stays well below.
_CALL_BYTES: Final = 1 << 29

Constants = Mapping[str, Any]
_NONE: Final[Constants] = MappingProxyType({})


class Encoder:
    """Writes rows of one contract. Raises Refused when the contract is not a flat record."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._shape = shape.parse(contract.schema)
        self.schema = self._shape.arrow
        self._header = frame.header(contract.schema_id)
        self._is_simple = compiles(self._shape.fields)
        self._writers = [(field.name, writer(field)) for field in self._shape.fields]

    def frames(self, rows: pa.RecordBatch, constants: Constants = _NONE) -> pa.BinaryArray:
        """One framed record a row, in row order: binary[n], no nulls.

        rows: the contract's columns by name, in any order; others are not written. A type that is not the declared one
        is cast, and may not lose anything by it (a dictionary of strings, a large string, an int64 that fits are fine).
        constants: columns that have the same value in every row, by name; they are encoded once.
        Raises ValueError when a column is missing, cannot be cast, or has a null where the contract has none.
        """
        if rows.num_rows > 1 and rows.nbytes > _CALL_BYTES:
            middle = rows.num_rows // 2
            halves = rows.slice(0, middle), rows.slice(middle)
            return pa.concat_arrays([self.frames(half, constants) for half in halves])
        if not rows.num_rows:
            return pa.array([], pa.binary())
        columns = {field.name: self._column(rows, field) for field in self._shape.fields if field.name not in constants}
        code = compiled(Writing) if self._is_simple else None
        if code is not None:
            found = code.frames(_merged(self._parts(columns, constants, parts_of)), rows.num_rows)
            if found is not None:
                return found
        return joined(_merged(self._parts(columns, constants, pieces)), rows.num_rows)

    def _parts(
        self, columns: Mapping[str, pa.Array], constants: Constants, of: Callable[[FieldShape, pa.Array], Iterable[Any]]
    ) -> Iterator[Any]:
        """What every record is made of, in order."""
        yield self._header
        for field in self._shape.fields:
            if field.name in constants:
                yield literal(field, constants[field.name])
            else:
                yield from of(field, columns[field.name])

    def record(self, values: Constants) -> bytes:
        """One framed record of these values by field, as `literal` takes them: for few records of many fields.

        Raises ValueError when a field is missing, or cannot hold its value.
        """
        try:
            return self._header + b"".join([write(values[name]) for name, write in self._writers])
        except KeyError as error:
            raise ValueError(f"{self.contract.subject}: column {error.args[0]} is missing") from error

    def encode(self, rows: pa.RecordBatch) -> list[bytes]:
        """The same as bytes objects, for tools."""
        framed: list[bytes] = self.frames(rows).to_pylist()
        return framed

    def _column(self, rows: pa.RecordBatch, field: FieldShape) -> pa.Array:
        """A column of the exact type, and without a null where the contract has none."""
        where = f"{self.contract.subject}: column {field.name}"
        if field.name not in rows.schema.names:
            raise ValueError(f"{where} is missing")
        column, wanted = rows.column(field.name), shape.ARROW[field.kind]
        if column.type != wanted:
            try:
                column = column.cast(wanted)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise ValueError(f"{where} is {rows.column(field.name).type}, not {wanted} ({error})") from error
        if column.null_count and not field.nullable:
            raise ValueError(f"{where} has {column.null_count} nulls, and the contract has none")
        return column


def _merged(parts: Iterable[Any]) -> list[Any]:
    """The same with neighbouring bytes as one."""
    runs = ((shared, list(run)) for shared, run in groupby(parts, lambda part: isinstance(part, bytes)))
    return [part for shared, run in runs for part in ([b"".join(run)] if shared else run)]
