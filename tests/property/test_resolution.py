"""Records of any writer, read under a flat contract, against fastavro's schema resolution."""

from __future__ import annotations

import copy
import io
import json
import math
import struct
from typing import Any

import fastavro
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from weir.core.contract import Contract
from weir.core.rejects import Reason
from weir.wire import frame
from weir.wire.avro_scalar import zigzag
from weir.wire.decode import Decoder

NAMES = ("a", "b", "c", "d", "e")
WRITER_ID = 9
DEFAULTS = {"string": "x", "int": 1, "long": 2, "float": 0.5, "double": 0.25, "boolean": True}
VALUES = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(width=32),
    "double": st.floats(),
    "string": st.text(st.characters(codec="utf-8"), max_size=5),
    "bytes": st.binary(max_size=5) | st.just(b"\xff") | st.just(b"text"),
}
PRIMITIVES = st.sampled_from(sorted(VALUES))
READ = st.sampled_from(sorted(VALUES.keys() - {"null"}))


@st.composite
def types(draw: Any, depth: int = 2) -> Any:
    """An Avro type; named ones are called by `unnamed`, once all are there."""
    kind = draw(st.sampled_from(["primitive", "primitive", "nullable", "nullable", "enum", "fixed", "union", "nest"]))
    if kind == "primitive" or depth == 0:
        return draw(PRIMITIVES)
    if kind == "enum":
        return {"type": "enum", "name": "?", "symbols": ["A", "B", "C"]}
    if kind == "fixed":
        return {"type": "fixed", "name": "?", "size": draw(st.integers(0, 5))}
    if kind == "nullable":
        other = draw(READ | st.just({"type": "enum", "name": "?", "symbols": ["A", "B"]}))
        return draw(st.permutations(["null", other]))
    if kind == "union":
        return draw(st.lists(PRIMITIVES, min_size=1, max_size=4, unique=True))
    inner = draw(types(depth - 1))
    nested = {"type": "record", "name": "?", "fields": [{"name": "k", "type": inner}, {"name": "l", "type": "int"}]}
    return draw(st.sampled_from([{"type": "array", "items": inner}, {"type": "map", "values": inner}, nested]))


def named(raw: Any, count: list[int]) -> Any:
    """The type with a name of its own for each record, enum and fixed."""
    if isinstance(raw, list):
        return [named(branch, count) for branch in raw]
    if isinstance(raw, dict):
        found = {
            key: named(value, count) if key in ("items", "values", "type") else value for key, value in raw.items()
        }
        if "name" in found and found["name"] == "?":
            count[0] += 1
            found["name"] = f"N{count[0]}"
        if "fields" in found:
            found["fields"] = [{**item, "type": named(item["type"], count)} for item in found["fields"]]
        return found
    return raw


@st.composite
def writers(draw: Any) -> dict[str, Any]:
    names, count = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True)), [0]
    fields = [{"name": name, "type": named(draw(types()), count)} for name in names]
    return {"type": "record", "name": "R", "fields": fields}


@st.composite
def readers(draw: Any) -> dict[str, Any]:
    fields = []
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True)):
        kind = draw(READ)
        declared = draw(st.sampled_from([kind, ["null", kind], [kind, "null"]]))
        field = {"name": name, "type": declared}
        first = declared[0] if isinstance(declared, list) else declared
        if first == "null" or (first in DEFAULTS and draw(st.booleans())):
            field["default"] = None if first == "null" else DEFAULTS[first]
        fields.append(field)
    return {"type": "record", "name": "R", "fields": fields}


def value_of(raw: Any, draw: Any) -> Any:
    """A value of the type; of a union the index of a branch and its value."""
    if isinstance(raw, list):
        index = draw(st.integers(0, len(raw) - 1))
        return index, value_of(raw[index], draw)
    kind = raw if isinstance(raw, str) else raw["type"]
    if kind in VALUES:
        return draw(VALUES[kind])
    if kind == "enum":
        return draw(st.sampled_from(raw["symbols"]))
    if kind == "fixed":
        return draw(st.binary(min_size=raw["size"], max_size=raw["size"]))
    if kind == "record":
        return [value_of(item["type"], draw) for item in raw["fields"]]
    inner = raw["items"] if kind == "array" else raw["values"]
    return [(draw(VALUES["string"]), value_of(inner, draw)) for _ in range(draw(st.integers(0, 3)))]


def written(raw: Any, value: Any) -> bytes:
    """What Avro writes for a value of `value_of`; arrays in one block that says its size, maps in one that does not."""
    if isinstance(raw, list):
        return zigzag(value[0]) + written(raw[value[0]], value[1])
    if isinstance(raw, dict) and raw["type"] in ("enum", "fixed"):
        return zigzag(raw["symbols"].index(value)) if raw["type"] == "enum" else value
    return _compound(raw, value) if isinstance(raw, dict) else _primitive(raw, value)


def _primitive(kind: str, value: Any) -> bytes:
    if kind in ("string", "bytes"):
        octets = value.encode() if kind == "string" else value
        return zigzag(len(octets)) + octets
    formats = {"boolean": "?", "float": "<f", "double": "<d"}
    if kind in formats:
        return struct.pack(formats[kind], value)
    return b"" if kind == "null" else zigzag(value)


def _compound(raw: dict[str, Any], value: Any) -> bytes:
    if raw["type"] == "record":
        return b"".join(written(item["type"], one) for item, one in zip(raw["fields"], value, strict=True))
    if raw["type"] == "array":
        items = b"".join(written(raw["items"], one) for _, one in value)
        return (zigzag(-len(value)) + zigzag(len(items)) + items if value else b"") + b"\0"
    items = b"".join(written("string", key) + written(raw["values"], one) for key, one in value)
    return (zigzag(len(value)) + items if value else b"") + b"\0"


def beyond_avro(field: dict[str, Any], raw: Any, value: Any) -> tuple[bool, Any]:
    """Whether Weir reads this value where Avro does not, and as what."""
    kinds = field["type"] if isinstance(field["type"], list) else [field["type"]]
    branch, inner = (raw[value[0]], value[1]) if isinstance(raw, list) else (raw, value)
    if isinstance(branch, dict) and branch["type"] == "enum" and "string" in kinds:
        return True, inner
    return branch == "double" and "float" in kinds, inner


def same(kind: Any, ours: Any, theirs: Any) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    kinds = kind if isinstance(kind, list) else [kind]
    if "float" in kinds:
        with np.errstate(over="ignore"):
            theirs = float(np.float32(theirs))
    if isinstance(ours, float):
        return ours == float(theirs) or (math.isnan(ours) and math.isnan(theirs))
    return type(ours) is type(theirs) and ours == theirs


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(writers(), readers(), st.data())
def test_a_record_is_read_as_avro_resolves_it_or_not_at_all(writer, reader, data):
    rows = [[value_of(field["type"], data.draw) for field in writer["fields"]] for _ in range(3)]
    bodies = [written(writer, row) for row in rows]
    decoder = Decoder(Contract("s-value", 1, json.dumps(reader), 1), {WRITER_ID: json.dumps(writer)}.get)
    decoded = decoder.decode([frame.header(WRITER_ID) + body for body in bodies], 10**6)
    ours = dict(zip(decoded.origin.tolist(), decoded.rows.to_pylist(), strict=True))
    assert sorted([*ours, *decoded.rejects.record.tolist()]) == [0, 1, 2]
    types_of = {field["name"]: field["type"] for field in writer["fields"]}
    for i, (row, body) in enumerate(zip(rows, bodies, strict=True)):
        values = dict(zip(types_of, row, strict=True))
        more = {
            field["name"]: beyond_avro(field, types_of[field["name"]], values[field["name"]])
            for field in reader["fields"]
            if field["name"] in types_of
        }
        strict = {**reader, "fields": [field for field in reader["fields"] if not more.get(field["name"], (False,))[0]]}
        theirs = resolved(body, writer, strict)
        if i not in ours:
            assert theirs is None, f"Avro reads {theirs}, we say {decoded.rejects}"
            continue
        assert theirs is not None, f"Avro does not read what we read as {ours[i]}"
        expected = theirs | {name: value for name, (beyond, value) in more.items() if beyond}
        assert ours[i].keys() == expected.keys()
        for field in reader["fields"]:
            assert same(field["type"], ours[i][field["name"]], expected[field["name"]]), (field, ours[i], expected)


def resolved(body: bytes, writer: dict[str, Any], reader: dict[str, Any]) -> dict[str, Any] | None:
    """What fastavro makes of it; None where it refuses."""
    schemas = [fastavro.parse_schema(copy.deepcopy(schema)) for schema in (writer, reader)]
    try:
        return fastavro.schemaless_reader(io.BytesIO(body), *schemas)
    except (fastavro.read.SchemaResolutionError, UnicodeDecodeError):
        return None


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(writers(), readers(), st.data())
def test_damaged_bodies_of_any_writer_are_dead_letters_or_rows(writer, reader, data):
    """Nothing that a body holds stops the decoder: it is read, or it is a dead letter that says why."""
    whole = written(writer, [value_of(field["type"], data.draw) for field in writer["fields"]])
    at = data.draw(st.integers(0, len(whole)))
    damaged = [whole[:at], whole + b"\0", whole[:at] + data.draw(st.binary(min_size=1, max_size=12)) + whole[at:]]
    decoder = Decoder(Contract("s-value", 1, json.dumps(reader), 1), {WRITER_ID: json.dumps(writer)}.get)
    decoded = decoder.decode([frame.header(WRITER_ID) + body for body in (*damaged, whole)], 10**6)
    assert sorted([*decoded.origin.tolist(), *decoded.rejects.record.tolist()]) == [0, 1, 2, 3]
    assert set(decoded.rejects.reason) <= {Reason.UNDECODABLE, Reason.MISSING, Reason.UNKNOWN_SCHEMA}
    assert all(decoded.rejects.detail)


@pytest.mark.parametrize(
    "bomb",
    [
        zigzag(2**62) + b"\0",  # that many nulls, in no bytes
        zigzag(2**62),
        zigzag(-1) + zigzag(2**62) + b"\0",
        zigzag(-1) + zigzag(-5) + b"\0",
        b"\xff" * 12,
    ],
)
@pytest.mark.parametrize("items", ["null", "long", {"type": "record", "name": "E", "fields": []}])
def test_a_count_larger_than_the_record_costs_nothing(bomb, items):
    writer = {"type": "record", "name": "R", "fields": [{"name": "n", "type": {"type": "array", "items": items}}]}
    reader = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "string", "default": "x"}]}
    decoder = Decoder(Contract("s-value", 1, json.dumps(reader), 1), {WRITER_ID: json.dumps(writer)}.get)
    decoded = decoder.decode([frame.header(WRITER_ID) + bomb], 10**6)
    assert decoded.rows.num_rows + len(decoded.rejects) == 1


@pytest.mark.parametrize("link", ["N", ["null", "N"]])
def test_records_in_records_without_end_are_dead_letters(link):
    nested = {"type": "record", "name": "N", "fields": [{"name": "n", "type": link}]}
    writer = {"type": "record", "name": "R", "fields": [{"name": "n", "type": nested}]}
    reader = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "string", "default": "x"}]}
    decoder = Decoder(Contract("s-value", 1, json.dumps(reader), 1), {WRITER_ID: json.dumps(writer)}.get)
    decoded = decoder.decode([frame.header(WRITER_ID) + b"\2" * 100_000], 10**6)
    assert decoded.rejects.reason == (Reason.UNDECODABLE,)
    assert "nested" in decoded.rejects.detail[0]
