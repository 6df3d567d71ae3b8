"""Records as a producer could send them, and what the reference makes of them."""

from __future__ import annotations

import io
import json
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any, Final

import fastavro
import numpy as np
import pyarrow as pa
from weir.core.contract import Contract
from weir.core.decoded import Decoded
from weir.core.rejects import Reason
from weir.wire import frame, shape
from weir.wire.decode import Decoder
from weir.wire.shape import Kind

from tests import examples
from tests.fuzz import mutate

MAX_BYTES: Final = 4096
READER_ID, EVOLVED_ID, UNREADABLE_ID, UNKNOWN_ID = 7, 8, 9, 10
UNREADABLE: Final = """
{"type": "record", "name": "R", "fields": [{"name": "x", "type": {"type": "array", "items": "int"}}]}
"""

_KINDS: Final = {
    Kind.STRING: "string",
    Kind.BYTES: "bytes",
    Kind.INT: "int",
    Kind.LONG: "long",
    Kind.FLOAT: "float",
    Kind.DOUBLE: "double",
    Kind.BOOLEAN: "boolean",
    Kind.TIMESTAMP_MILLIS: {"type": "long", "logicalType": "timestamp-millis"},
    Kind.TIMESTAMP_MICROS: {"type": "long", "logicalType": "timestamp-micros"},
    Kind.AMOUNTS: {"type": "map", "values": "double"},
}
_EDGES: Final = {
    Kind.INT: (0, -1, 63, 64, -(2**31), 2**31 - 1),
    Kind.LONG: (0, -1, 2**31, 2**53 + 1, -(2**63), 2**63 - 1),
    Kind.FLOAT: (0.0, -0.0, float("inf"), float("nan"), 1e-45, 3.4e38),
    Kind.STRING: ("", "weir:end", "é", "\U0010ffff", "\0", "x" * 130),
    Kind.BYTES: (b"", b"weir:end", b"\xff", bytes(200)),
}


def wide_schema() -> str:
    """Every kind, alone and in both orders of a union with null."""
    fields = []
    for kind, declared in _KINDS.items():
        name = kind.replace("-", "_")
        fields += [{"name": name.replace(" ", "_"), "type": declared}]
        if kind is Kind.AMOUNTS:
            continue
        fields += [{"name": f"{name}_or", "type": ["null", declared]}]
        fields += [{"name": f"or_{name}", "type": [declared, "null"]}]
    return json.dumps({"type": "record", "name": "Wide", "fields": fields})


def evolved(schema: str) -> str:
    """An earlier version of a record, which its readers take: other order, fields more and less, narrower numbers."""
    raw = json.loads(schema)
    fields = [field for field in raw["fields"] if "default" not in field or Random(field["name"]).random() < 0.5]
    fields = [{**field, "type": _narrower(field["type"])} for field in fields]
    raw["fields"] = [{"name": "gone", "type": ["null", "string"], "default": None}, *fields[::-1]]
    return json.dumps(raw)


def _narrower(declared: Any) -> Any:
    if isinstance(declared, list):
        return [_narrower(branch) for branch in declared]
    if isinstance(declared, str):
        return {"long": "int", "double": "float", "float": "int"}.get(declared, declared)
    return declared


def _plain(schema: str) -> Any:
    """For fastavro, which would make datetimes of timestamps, and fail on those past the year 9999."""
    return fastavro.parse_schema(json.loads(re.sub("timestamp-(millis|micros)", "none", schema)))


@dataclass(frozen=True)
class Target:
    """A contract, the decoder under test, and the reference for the two schemas that it reads."""

    name: str
    schema: str
    writer: str  # what record bodies are made under
    writer_id: int

    @cached_property
    def decoder(self) -> Decoder:
        known = {EVOLVED_ID: evolved(self.schema), UNREADABLE_ID: UNREADABLE}
        return Decoder(Contract(f"fuzz.{self.name}-value", 1, self.schema, READER_ID), known.get)

    @cached_property
    def _schemas(self) -> dict[int, Any]:
        return {READER_ID: _plain(self.schema), EVOLVED_ID: _plain(evolved(self.schema))}

    @cached_property
    def fields(self) -> tuple[shape.FieldShape, ...]:
        return shape.parse(self.writer).fields

    @cached_property
    def _written_fields(self) -> dict[int, tuple[shape.FieldShape, ...]]:
        return {READER_ID: shape.parse(self.schema).fields, EVOLVED_ID: shape.parse(evolved(self.schema)).fields}

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """Of the fields of a row that comes out."""
        return {field.name: field.kind for field in shape.parse(self.schema).fields}

    def good(self, random: Random) -> bytes:
        """A framed record of random values."""
        row = {field.name: _value(random, field) for field in self.fields}
        out = io.BytesIO(frame.header(self.writer_id))
        out.seek(frame.HEADER_BYTES)
        fastavro.schemaless_writer(out, self._schemas[self.writer_id], row)
        return out.getvalue()

    def verdict(self, value: bytes | None) -> Reason | dict[str, Any]:  # noqa: PLR0911  one a reason
        """What must become of a record: its row, or why there is none."""
        if not value:
            return Reason.EMPTY
        if len(value) > MAX_BYTES:
            return Reason.OVERSIZED
        if len(value) < frame.HEADER_BYTES or value[0]:
            return Reason.BAD_FRAME
        schema_id = int.from_bytes(value[1:5], "big", signed=True)
        if schema_id not in self._schemas:
            return Reason.UNKNOWN_SCHEMA
        body = io.BytesIO(value[frame.HEADER_BYTES :])
        try:
            row = fastavro.schemaless_reader(body, self._schemas[schema_id], self._schemas[READER_ID])
        except Exception:  # whatever the reference raises, it is no row
            return Reason.UNDECODABLE
        if body.read():
            return Reason.UNDECODABLE
        assert isinstance(row, dict)
        ints = (field.name for field in self._written_fields[schema_id] if field.kind is Kind.INT)
        if any(not -(2**31) <= (row.get(name) or 0) < 2**31 for name in ints):
            return Reason.UNDECODABLE  # the reference does not look
        return row

    def exact(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row of the reference as it must come out."""
        return {name: _exact(row[name], kind) for name, kind in self.kinds.items()}

    def canonical(self, value: bytes, row: dict[str, Any]) -> bool:
        """Whether the reference would write this row in these bytes: such a record may not be rejected."""
        if value[1:5] != READER_ID.to_bytes(4, "big"):
            return False
        out = io.BytesIO()
        try:
            fastavro.schemaless_writer(out, self._schemas[READER_ID], row, strict=True)
        except (ValueError, TypeError, OverflowError):
            return False  # read, but not to be written
        return out.getvalue() == value[frame.HEADER_BYTES :]


def _value(random: Random, field: shape.FieldShape) -> Any:  # noqa: PLR0911  one a kind
    if field.nullable and random.random() < 0.3:
        return None
    kind = field.kind
    if kind in (Kind.TIMESTAMP_MILLIS, Kind.TIMESTAMP_MICROS):
        kind = Kind.LONG
    if random.random() < 0.3 and kind in _EDGES:
        return random.choice(_EDGES[kind])
    if kind in (Kind.INT, Kind.LONG):
        bits = random.randint(0, 31 if kind is Kind.INT else 63)
        return random.getrandbits(bits) * random.choice((1, -1)) if bits else 0
    if kind in (Kind.FLOAT, Kind.DOUBLE):
        return random.gauss(0, 1)
    if kind is Kind.BOOLEAN:
        return random.random() < 0.5
    if kind is Kind.AMOUNTS:
        return {random.choice("abcé"): random.gauss(0, 1) for _ in range(random.randint(0, 3))}
    if kind is Kind.BYTES:
        return random.randbytes(random.randint(0, 12))
    return "".join(random.choice("abcwz é:") for _ in range(random.randint(0, 12)))


def _exact(value: Any, kind: Kind) -> Any:
    """A value of the reference as it is in a column of `kind`, comparable by its bits; all NaN are one."""
    if kind in (Kind.FLOAT, Kind.DOUBLE) and value is not None:
        with np.errstate(over="ignore"):
            number = float(np.float32(value)) if kind is Kind.FLOAT else float(value)
        return struct.pack("<d", number) if number == number else "NaN"  # noqa: PLR0124
    if kind is Kind.AMOUNTS:
        return {name: _exact(amount, Kind.DOUBLE) for name, amount in dict(value).items()}
    if kind is Kind.BYTES and isinstance(value, str):
        return value.encode("latin-1")  # a default, which the reference leaves as its JSON has it
    return value


def values(random: Random, target: Target, count: int) -> list[bytes | None]:
    """Some good, others spoilt, with the odd tombstone and record of another schema.

    Most of them spoilt, or almost none: a clean batch, and one that only looks clean, take another way.
    """
    goods = [target.good(random) for _ in range(12)]
    good_share = random.choice((0.15, 0.15, 0.98, 0.995, 1.0))
    how = random.choice((_spoilt, _spoilt, _of_another_frame))
    return [
        random.choice(goods) if random.random() < good_share else how(random, random.choice(goods), goods)
        for _ in range(count)
    ]


def _spoilt(random: Random, good: bytes, goods: Sequence[bytes]) -> bytes | None:
    kind = random.random()
    if kind < 0.85:
        return good[: frame.HEADER_BYTES] + mutate.spoilt(random, good[frame.HEADER_BYTES :], goods)
    if kind < 0.96:
        return mutate.spoilt(random, good, goods)
    return random.choice((None, b"", b"\0" * (MAX_BYTES + 1), good + bytes(MAX_BYTES)))


def _of_another_frame(random: Random, good: bytes, _: Sequence[bytes]) -> bytes:
    """A good body, so that only a look at the frame can tell."""
    if random.random() < 0.5:
        schema_id = random.choice((READER_ID, EVOLVED_ID, UNREADABLE_ID, UNKNOWN_ID, -1, 7 << 24, 7 << 8, 0))
        return random.choice((b"\0", b"\0", b"\1")) + schema_id.to_bytes(4, "big", signed=True) + good[5:]
    at = random.randrange(frame.HEADER_BYTES)
    return good[:at] + random.choice((b"\0", b"\1", b"\2", b"\x80", b"\xff")) + good[at + 1 :]


def check(target: Target, given: Sequence[bytes | None], decoded: Decoded) -> None:
    """Raises AssertionError naming the first record whose row is wrong, or whose rejection is."""
    assert decoded.rows.schema == target.decoder.schema
    decoded.rows.validate(full=True)
    assert sorted([*decoded.origin.tolist(), *decoded.rejects.record.tolist()]) == list(range(len(given)))
    assert (np.diff(decoded.origin) > 0).all()
    rows = dict(zip(decoded.origin.tolist(), _rows(decoded.rows, target), strict=True))
    rejected = dict(zip(decoded.rejects.record.tolist(), decoded.rejects.reason, strict=True))
    for i, value in enumerate(given):
        wanted = target.verdict(value)
        where = f"{target.name}, record {value.hex() if value else value!r}"
        if isinstance(wanted, Reason):
            assert i in rejected, f"{where}: a row, {rows[i]}, where the reference has none"
            assert rejected[i] is wanted, f"{where}: {rejected[i]}, not {wanted}"
        elif i in rows:
            assert rows[i] == target.exact(wanted), f"{where}: {rows[i]}, not {wanted}"
        else:
            assert value is not None
            assert rejected[i] is Reason.UNDECODABLE, where
            assert not target.canonical(value, wanted), f"{where}: rejected, and the reference writes it"


def _rows(rows: pa.RecordBatch, target: Target) -> list[dict[str, Any]]:
    columns = []
    for name, kind in target.kinds.items():
        column = rows.column(name)
        column = column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        columns.append([_exact(value, kind) for value in column.to_pylist()])
    return [dict(zip(target.kinds, row, strict=True)) for row in zip(*columns, strict=True)]


_ALL: Final = {record: examples.contract(record).schema for record in examples.RECORDS} | {"wide": wide_schema()}
CURRENT: Final = {name: Target(name, schema, schema, READER_ID) for name, schema in _ALL.items()}
EVOLVED: Final = {name: Target(name, schema, evolved(schema), EVOLVED_ID) for name, schema in _ALL.items()}
