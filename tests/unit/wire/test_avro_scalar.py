"""A single value is written as fastavro writes it."""

from __future__ import annotations

import io
import json

import fastavro
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from weir.core.contract import Contract
from weir.wire import shape
from weir.wire.avro_scalar import literal
from weir.wire.encode import Encoder

KINDS = {
    "string": st.text(st.characters(exclude_categories=["Cs"])),
    "bytes": st.binary(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
}


def field(kind: object) -> tuple[shape.FieldShape, object]:
    text = {"type": "record", "name": "R", "fields": [{"name": "f", "type": kind}]}
    return shape.parse(json.dumps(text)).fields[0], fastavro.parse_schema(text)


@given(st.data(), st.sampled_from(sorted(KINDS)), st.sampled_from(["plain", "null first", "null last"]))
def test_a_value_is_written_as_the_reference_writes_it(data: st.DataObject, kind: str, union: str) -> None:
    declared = {"plain": kind, "null first": ["null", kind], "null last": [kind, "null"]}[union]
    value = data.draw(KINDS[kind] if union == "plain" else st.none() | KINDS[kind])
    shaped, schema = field(declared)
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, {"f": value})
    assert literal(shaped, value) == out.getvalue()


@pytest.mark.parametrize(("kind", "value"), [("string", 1), ("int", 2**31), ("long", 1.0), ("string", None)])
def test_a_value_of_another_type_is_an_error(kind: str, value: object) -> None:
    shaped, _ = field(kind)
    with pytest.raises(ValueError, match="column f"):
        literal(shaped, value)


@given(st.lists(st.tuples(st.text(max_size=5), st.integers(0, 99), st.none() | st.binary(max_size=4)), min_size=1))
def test_constants_make_the_same_bytes_as_columns(rows: list[tuple[str, int, bytes | None]]) -> None:
    text = json.dumps(
        {
            "type": "record",
            "name": "R",
            "fields": [
                {"name": "a", "type": "string"},
                {"name": "b", "type": "int"},
                {"name": "c", "type": "string"},
                {"name": "d", "type": ["null", "bytes"]},
                {"name": "e", "type": "float"},
            ],
        }
    )
    encoder = Encoder(Contract("s", 1, text, 3))
    varying = {
        "a": pa.array([row[0] for row in rows]),
        "b": pa.array([row[1] for row in rows], pa.int32()),
        "d": pa.array([row[2] for row in rows], pa.binary()),
    }
    constant = {"c": "same", "e": 0.5}
    whole = varying | {"c": pa.array(["same"] * len(rows)), "e": pa.array([0.5] * len(rows), pa.float32())}
    assert encoder.frames(pa.RecordBatch.from_pydict(varying), constant).equals(
        encoder.frames(pa.RecordBatch.from_pydict(whole))
    )
