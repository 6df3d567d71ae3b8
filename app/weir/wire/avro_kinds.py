"""What the compiled loops know of values: how each kind lies in a record, by a number."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Final

from weir.wire.shape import FieldShape, Kind

BOOLEAN, LONG, FLOAT, DOUBLE, TEXT = range(5)
KINDS: Final = {
    Kind.BOOLEAN: BOOLEAN,
    Kind.INT: LONG,
    Kind.LONG: LONG,
    Kind.TIMESTAMP_MILLIS: LONG,
    Kind.TIMESTAMP_MICROS: LONG,
    Kind.FLOAT: FLOAT,
    Kind.DOUBLE: DOUBLE,
    Kind.STRING: TEXT,
    Kind.BYTES: TEXT,
}
NEVER_NULL: Final = -1  # where the branch of null stands


def compiles(fields: Iterable[FieldShape]) -> bool:
    """Whether the loops read and write records of these fields: not where a map is among them."""
    return sys.byteorder == "little" and all(field.kind in KINDS for field in fields)
