"""Which schemas are rows, and what is said of those that are not."""

import json

import pyarrow as pa
import pytest
from weir.core.errors import Refused
from weir.wire import shape
from weir.wire.compatibility import incompatibility

from tests.unit.wire.test_wire_decode import record


def test_logical_types_unknown_to_us_are_the_type_beneath():
    text = record(("a", {"type": "string", "logicalType": "uuid"}), ("b", {"type": "long", "logicalType": "ours"}))
    assert shape.arrow_schema(text).types == [pa.string(), pa.int64()]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ('"string"', "not an Avro record"),
        ("[]", "not an Avro record"),
        ('{"type": "record", "name": "R"}', "not an Avro record"),
        ('{"type": "record", "name": "R", "fields": [3]}', "without name or type"),
        ('{"type": "record", "name": "R", "fields": [{"name": "a"}]}', "without name or type"),
        (record(("a", "int"), ("a", "long")), "two fields of one name"),
        (record(("a", ["null", "int", "long"])), "more than null and one type"),
        (record(("a", ["null"])), "more than null and one type"),
        (record(("a", {"type": "map", "values": "int"})), "has type"),
        (record(("a", {"type": "fixed", "name": "F", "size": 4})), "has type"),
        (record(("a", "Elsewhere")), "has type"),
    ],
)
def test_what_is_not_a_row_is_refused(text, says):
    with pytest.raises(Refused, match=says):
        shape.parse(text)


def test_field_names_of_a_writer_cannot_meet_those_of_the_codec():
    schema = json.loads(shape.codec_schema(shape.parse(record(("_tail", "int"), ("_magic", "bytes"))).fields))
    assert [field["name"] for field in schema["fields"]] == ["f0", "f1"]
    assert [field["type"] for field in schema["fields"]] == ["long", "string"]


@pytest.mark.parametrize(
    ("reader", "writer", "readable"),
    [
        (record(("a", "int"), ("b", "int", 0)), record(("a", "int")), True),
        (record(("a", "int"), ("b", "int")), record(("a", "int")), False),
        (record(("a", ["null", "int"])), record(("a", "int")), True),
        (record(("a", "int")), record(("a", ["null", "int"])), False),
        (record(("a", "int")), record(("a", "long")), False),
        (record(("a", "int")), record(("a", "int"), name="Q"), False),
        ("{", record(("a", "int")), False),
    ],
)
def test_compatibility_is_what_avro_says(reader, writer, readable):
    assert (incompatibility(reader, writer) is None) == readable
