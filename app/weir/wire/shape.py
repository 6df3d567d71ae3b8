"""The flat Avro records that Weir puts on Kafka: their fields, their Arrow columns, and what the Rust codec is told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

import pyarrow as pa

from weir.core.errors import Refused
from weir.wire import schema_json


class Kind(StrEnum):
    """Types a field may have, each alone or in a union with null, but for the map: it may be empty.

    A record of these is one Arrow column a field.
    """

    STRING = "string"
    BYTES = "bytes"
    INT = "int"
    LONG = "long"
    FLOAT = "float"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    TIMESTAMP_MILLIS = "timestamp-millis"
    TIMESTAMP_MICROS = "timestamp-micros"
    AMOUNTS = "map of double"


ARROW: Final[Mapping[Kind, pa.DataType]] = {
    Kind.STRING: pa.string(),
    Kind.BYTES: pa.binary(),
    Kind.INT: pa.int32(),
    Kind.LONG: pa.int64(),
    Kind.FLOAT: pa.float32(),
    Kind.DOUBLE: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.TIMESTAMP_MILLIS: pa.timestamp("ms", "UTC"),
    Kind.TIMESTAMP_MICROS: pa.timestamp("us", "UTC"),
    Kind.AMOUNTS: pa.map_(pa.string(), pa.field("value", pa.float64(), nullable=False)),
}

# What the Rust codec is told instead of the type, where it would not do what we need. The bytes on the wire are the
# same.
#   bytes -> string: it panics on `bytes`; a string it copies without looking at it (the decoder checks UTF-8 itself).
#   int -> long: an int past 32 bits it would cut off silently; read as a long, the decoder sees it.
#   timestamps -> long: what they are.
_STAND_IN: Final[Mapping[Kind, Kind]] = {
    Kind.BYTES: Kind.STRING,
    Kind.INT: Kind.LONG,
    Kind.TIMESTAMP_MILLIS: Kind.LONG,
    Kind.TIMESTAMP_MICROS: Kind.LONG,
}

NO_DEFAULT: Final = object()


@dataclass(frozen=True, slots=True)
class FieldShape:
    """One field.

    null_first: null is branch 0 of its union. default: as Avro's JSON says it, or NO_DEFAULT.
    amounts: of a map, the Avro type of its values as they are written.
    """

    name: str
    kind: Kind
    nullable: bool
    null_first: bool
    default: object
    aliases: tuple[str, ...] = ()
    amounts: str = "double"

    @property
    def arrow(self) -> pa.Field:
        """Column under which rows carry it."""
        return pa.field(self.name, ARROW[self.kind], nullable=self.nullable)

    @property
    def required(self) -> FieldShape:
        """The same field without null."""
        return replace(self, nullable=False, null_first=False)

    @property
    def default_value(self) -> object:
        """The default as a value of the column: Avro writes bytes as the code points 0 to 255 of a text."""
        if self.kind is Kind.BYTES and isinstance(self.default, str):
            return self.default.encode("latin-1")
        if self.kind is Kind.AMOUNTS and isinstance(self.default, dict):
            return list(self.default.items())
        return self.default


@dataclass(frozen=True, slots=True)
class Shape:
    """A flat record.

    fullname, aliases: its name, and names that it had. fields: in wire order. arrow: schema of its rows.
    """

    fullname: str
    aliases: tuple[str, ...]
    fields: tuple[FieldShape, ...]
    arrow: pa.Schema


def codec_schema(fields: Sequence[FieldShape], *, before: Sequence[Any] = (), after: Sequence[Any] = ()) -> str:
    """The wire layout of these fields in types that the Rust codec reads, with extra fields around them.

    The codec's fields are named by position: whatever a writer calls its own, none meets those around them.
    before, after: Avro field declarations.
    """
    declared = [{"name": f"f{i}", "type": _declare(field)} for i, field in enumerate(fields)]
    return json.dumps({"type": "record", "name": "Row", "fields": [*before, *declared, *after]})


def _declare(field: FieldShape) -> object:
    base: object = _STAND_IN.get(field.kind, field.kind).value
    if field.kind is Kind.AMOUNTS:
        base = {"type": "map", "values": field.amounts}
    if not field.nullable:
        return base
    return ["null", base] if field.null_first else [base, "null"]


def parse(text: str) -> Shape:
    """Shape of an Avro record schema.

    Raises Refused when it is not JSON, not a record, or has a field that is not one of `Kind` or a union of one with
    null: a record on Kafka is a row, and nested values would need a loop over rows somewhere.
    """
    try:
        raw = schema_json.load(text)
    except ValueError as error:
        raise Refused(f"schema is not JSON ({error})", remedy="give the text of an Avro record schema") from error
    if not isinstance(raw, dict) or raw.get("type") != "record" or not isinstance(raw.get("fields"), list):
        raise Refused("schema is not an Avro record", remedy="give a record schema with fields")
    name, namespace = str(raw.get("name", "")), str(raw.get("namespace", ""))
    fullname = name if "." in name or not namespace else f"{namespace}.{name}"
    fields = tuple(_field(fullname, item) for item in raw["fields"])
    if len({field.name for field in fields}) < len(fields):
        raise Refused(f"record {fullname} has two fields of one name", remedy="rename one")
    return Shape(fullname, tuple(raw.get("aliases", ())), fields, pa.schema([field.arrow for field in fields]))


def arrow_schema(text: str) -> pa.Schema:
    """Arrow schema of the rows of an Avro record. Raises Refused as `parse` does.

    >>> arrow_schema('{"type": "record", "name": "R", "fields": [{"name": "at", "type": ["null", "long"]}]}')
    at: int64
    """
    return parse(text).arrow


def _field(record: str, raw: object) -> FieldShape:
    if not isinstance(raw, dict) or not {"name", "type"} <= raw.keys():
        raise Refused(f"record {record} has a field without name or type", remedy="give it both")
    name, declared = str(raw["name"]), raw["type"]
    branches = declared if isinstance(declared, list) else [declared]
    kinds = [branch for branch in branches if branch != "null"]
    if len(kinds) != 1 or len(branches) - len(kinds) > 1:
        raise Refused(
            f"field {record}.{name} is a union of more than null and one type",
            remedy="declare one type, with or without null",
        )
    kind = _kind(record, name, kinds[0])
    if kind is Kind.AMOUNTS and len(branches) > 1:
        raise Refused(f"field {record}.{name} is a map or null", remedy="declare the map alone; it may be empty")
    return FieldShape(
        name=name,
        kind=kind,
        nullable=len(branches) == 2,
        null_first=branches[0] == "null",
        default=raw.get("default", NO_DEFAULT),
        aliases=tuple(raw.get("aliases", ())),
    )


def _kind(record: str, name: str, declared: object) -> Kind:
    logical = declared.get("logicalType") if isinstance(declared, dict) else None
    base = declared.get("type") if isinstance(declared, dict) else declared
    if base == "map" and isinstance(declared, dict) and declared.get("values") == "double":
        return Kind.AMOUNTS
    try:
        # Avro: a reader that does not know a logical type reads the type beneath it.
        return Kind(str(logical)) if logical in tuple(Kind) and base == "long" else Kind(str(base))
    except ValueError:
        raise Refused(
            f"field {record}.{name} has type {json.dumps(declared)}",
            remedy=f"use one of {', '.join(Kind)}, alone or with null",
        ) from None
