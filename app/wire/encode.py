"""Columns under a contract -> framed Avro records."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyruhvro

from app.core.contract import Contract
from app.wire import frame, shape
from app.wire.shape import Kind

# Arrow's binary arrays end at 2 GiB; one call of the codec stays well below.
_CALL_BYTES: Final = 1 << 29
_NOTHING: Final = pa.scalar(b"", pa.binary())


class Encoder:
    """Writes rows of one contract. Raises Refused when the contract is not a flat record."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._shape = shape.parse(contract.schema)
        self.schema = self._shape.arrow
        self._codec_schema = self._shape.codec_schema(ints_as_longs=False)
        self._header = pa.scalar(frame.header(contract.schema_id), pa.binary())

    def frames(self, rows: pa.RecordBatch) -> pa.BinaryArray:
        """One framed record a row, in row order: binary[n], no nulls.

        rows: the contract's columns by name, in any order; others are not written. A type that is not the declared one
        is cast, and may not lose anything by it (a dictionary of strings, a large string, an int64 that fits are fine).
        Raises ValueError when a column is missing, cannot be cast, or has a null where the contract has none.
        """
        if rows.num_rows > 1 and rows.nbytes > _CALL_BYTES:
            middle = rows.num_rows // 2
            return pa.concat_arrays([self.frames(rows.slice(0, middle)), self.frames(rows.slice(middle))])
        if not rows.num_rows:
            return pa.array([], pa.binary())
        columns = [self._column(rows, field) for field in self._shape.fields]
        ready = pa.RecordBatch.from_arrays(columns, names=self._shape.codec_names)
        bodies = pyruhvro.serialize_record_batch(ready, self._codec_schema, 1)[0]
        return pc.binary_join_element_wise(self._header, bodies, _NOTHING)

    def encode(self, rows: pa.RecordBatch) -> list[bytes]:
        """The same as bytes objects, for tools."""
        framed: list[bytes] = self.frames(rows).to_pylist()
        return framed

    def _column(self, rows: pa.RecordBatch, field: shape.FieldShape) -> pa.Array:
        """A column as the codec takes it: of the exact type, and without a null that it would write as 0."""
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
        return column.view(pa.string()) if field.kind is Kind.BYTES else column
