"""Columns under a contract -> framed Avro records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from types import MappingProxyType
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyruhvro

from app.core.contract import Contract
from app.wire import frame, shape
from app.wire.literal import literal
from app.wire.shape import FieldShape, Kind, Shape

# Arrow's binary arrays end at 2 GiB; one call of the codec stays well below.
_CALL_BYTES: Final = 1 << 29
_NOTHING: Final = pa.scalar(b"", pa.binary())

Constants = Mapping[str, Any]
_NONE: Final[Constants] = MappingProxyType({})


class Encoder:
    """Writes rows of one contract. Raises Refused when the contract is not a flat record."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._shape = shape.parse(contract.schema)
        self.schema = self._shape.arrow
        self._header = pa.scalar(frame.header(contract.schema_id), pa.binary())
        self._runs: dict[frozenset[str], list[_Run]] = {}

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
        runs = self._runs.get(names := frozenset(constants))
        if runs is None:
            runs = self._runs[names] = self._divide(names)
        parts = [run.once(constants) if run.constant else run.each(rows) for run in runs]
        return pc.binary_join_element_wise(self._header, *parts, _NOTHING)

    def _divide(self, constants: frozenset[str]) -> list[_Run]:
        runs = []
        for constant, fields in groupby(self._shape.fields, lambda field: field.name in constants):
            part = Shape(self._shape.fullname, tuple(fields), self.schema)
            runs.append(_Run(self.contract.subject, part, constant))
        return runs

    def encode(self, rows: pa.RecordBatch) -> list[bytes]:
        """The same as bytes objects, for tools."""
        framed: list[bytes] = self.frames(rows).to_pylist()
        return framed


@dataclass(frozen=True)
class _Run:
    """Neighbouring fields of a record, all constant or all not; Avro writes a record as one field after the other."""

    subject: str
    part: Shape
    constant: bool

    @cached_property
    def _schema(self) -> str:
        return self.part.codec_schema(ints_as_longs=False)

    def each(self, rows: pa.RecordBatch) -> pa.BinaryArray:
        """The bytes of every row."""
        columns = [self._column(rows, field) for field in self.part.fields]
        ready = pa.RecordBatch.from_arrays(columns, names=self.part.codec_names)
        return pyruhvro.serialize_record_batch(ready, self._schema, 1)[0]

    def once(self, constants: Constants) -> pa.BinaryScalar:
        """The bytes of every row, which are the same."""
        octets = b"".join(literal(field, constants[field.name]) for field in self.part.fields)
        return pa.scalar(octets, pa.binary())

    def _column(self, rows: pa.RecordBatch, field: FieldShape) -> pa.Array:
        """A column as the codec takes it: of the exact type, and without a null that it would write as 0."""
        where = f"{self.subject}: column {field.name}"
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
        return column.view(pa.string()) if field.kind is Kind.BYTES else column

