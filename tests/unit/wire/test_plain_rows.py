"""Plain values as rows: what a contract's type would change is a fault, never another value."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from weir.wire import plain_rows

SCHEMA = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("x", pa.float32()),
        pa.field("n", pa.int64()),
        pa.field("yes", pa.bool_()),
        pa.field("at", pa.timestamp("ms", "UTC")),
    ]
)
NOON = datetime(2013, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"x": 1}, {"x": 1.0}),
        ({"x": 0.5, "n": 3, "yes": True}, {"x": 0.5, "n": 3, "yes": True}),
        ({"n": 3.0}, {"n": 3}),
        ({"at": "2013-07-01T12:00:00+00:00"}, {"at": NOON}),
        ({"at": int(NOON.timestamp() * 1000)}, {"at": NOON}),
        ({"x": float("inf")}, {"x": float("inf")}),
        ({}, {}),
    ],
)
def test_values_that_fit(given, expected):
    rows, faults = plain_rows.rows(SCHEMA, [{"name": "a", **given}])
    assert not faults
    assert rows.to_pylist() == [dict.fromkeys(SCHEMA.names) | {"name": "a"} | expected]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"n": 1.7}, "field n is no int64: 1.7 is no whole number"),
        ({"n": True}, "field n is no int64: it is true"),
        ({"n": 2**63}, "field n is no int64"),
        ({"n": "3"}, "field n is no int64"),
        ({"x": True}, "field x is no float: it is true"),
        ({"x": 1e300}, r"field x is no float: 1e\+300 is above 3.40282e\+38"),
        ({"x": "1"}, "field x is no float"),
        ({"yes": 1}, "field yes is no bool"),
        ({"name": 5}, "field name is no string"),
        ({"name": None}, "field name must have a value"),
        ({"at": 1.5}, "field at is no timestamp.*1.5 is no whole number"),
        ({"at": True}, "field at is no timestamp.*it is true"),
        ({"at": "noon"}, "field at is no timestamp"),
        ({"other": 1}, "the contract has no field other; it has name, x, n, yes, at"),
    ],
)
def test_values_that_do_not_are_faults_beside_those_that_do(given, says):
    rows, faults = plain_rows.rows(SCHEMA, [{"name": "a"}, {"name": "b", **given}, {"name": "c"}])
    assert rows.column("name").to_pylist() == ["a", "c"]
    assert list(faults) == [1]
    assert re.search(says, faults[1]), faults[1]


def test_defaults_are_the_contract_s():
    fields = [{"name": "a", "type": "int"}, {"name": "b", "type": "string", "default": ""}]
    contract = {"type": "record", "name": "R", "fields": fields}
    assert plain_rows.defaults(json.dumps(contract)) == {"b": ""}
