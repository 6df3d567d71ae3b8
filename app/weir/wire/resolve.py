"""Avro schema resolution on columns: rows under the schema that wrote them -> rows under the one that reads them."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from weir.core.errors import Refused
from weir.wire import shape
from weir.wire.compatibility import incompatibility
from weir.wire.shape import FieldShape, Shape


@dataclass(frozen=True, slots=True)
class Resolution:
    """How columns of `writer` become columns of `reader`; make it with `resolve`."""

    reader: Shape
    columns: tuple[tuple[FieldShape, str | None], ...]  # reader field, writer column or None: the default

    def apply(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Rows under the reader's schema: added fields get their defaults, removed ones go, numbers are widened."""
        if rows.schema.equals(self.reader.arrow):
            return rows
        arrays = []
        for field, column in self.columns:
            wanted = field.arrow.type
            if column is None:
                arrays.append(pa.repeat(pa.scalar(field.default_value, wanted), rows.num_rows))
            else:
                array = rows.column(column)
                # safe=False: Avro promotes a long to a float whether or not every digit survives
                arrays.append(array if array.type == wanted else array.cast(wanted, safe=False))
        return pa.RecordBatch.from_arrays(arrays, schema=self.reader.arrow)


def resolve(reader: str, writer: str) -> Resolution:
    """The way from `writer` to `reader`. Raises Refused, saying why, when there is none."""
    to, source = shape.parse(reader), shape.parse(writer)
    why = None if reader == writer else incompatibility(reader, writer)
    if why:
        raise Refused(why, remedy="register a schema that the topic's subject accepts")
    written = {field.name: field for field in source.fields}
    columns = []
    for field in to.fields:
        match = next((name for name in (field.name, *field.aliases) if name in written), None)
        if match is None and field.default is shape.NO_DEFAULT:
            raise Refused(f"field {field.name} is neither written nor has a default", remedy="give the field a default")
        columns.append((field, match))
    return Resolution(to, tuple(columns))
