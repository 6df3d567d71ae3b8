"""Columns as records by the compiled loop, and by pieces that are joined."""

from __future__ import annotations

from random import Random

import llvmlite  # noqa: F401 - where it is in memory, the loop is compiled
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from weir.core.contract import Contract
from weir.native.loops import compiled
from weir.wire import avro_writing, encode
from weir.wire.avro_writing import NEVER_NULL, Part, Writing
from weir.wire.encode import Encoder
from weir.wire.shape import Kind

from tests.fuzz import records
from tests.property.test_avro_reading import SCHEMA

ENCODER = Encoder(Contract("s-value", 1, SCHEMA, 7))
FIELDS = ENCODER._shape.fields


def made(random: Random, rows: int) -> pa.RecordBatch:
    """Rows of every kind; a nullable column may be all null, or have none."""
    columns = []
    for field in FIELDS:
        values = [records._value(random, field) for _ in range(rows)]
        if field.nullable and (all_one := random.choice((None, None, "null", "value"))):
            other = records._value(random, field.required)
            values = [None if all_one == "null" else other if value is None else value for value in values]
        columns.append(pa.array(values, field.arrow.type))
    return pa.RecordBatch.from_arrays(columns, schema=ENCODER.schema)


def both(rows: pa.RecordBatch, constants: dict[str, object]) -> tuple[pa.BinaryArray, pa.BinaryArray]:
    by_loop = ENCODER.frames(rows, constants)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encode, "compiled", lambda _: None)
        return by_loop, ENCODER.frames(rows, constants)


@given(st.integers(0, 2**32), st.integers(1, 30), st.integers(0, 3), st.booleans())
def test_the_same_columns_are_the_same_bytes(seed, count, cut, shared):
    random = Random(seed)
    rows = made(random, count + 2 * cut).slice(cut, count)
    named = random.sample(FIELDS, 3) if shared else []
    constants = {field.name: constant(field, records._value(random, field)) for field in named}
    by_loop, by_pieces = both(rows.drop_columns(list(constants)) if constants else rows, constants)
    by_loop.validate(full=True)
    assert by_loop.type == pa.binary()
    assert by_loop.equals(by_pieces)


def constant(field, value):
    return bool(value) if field.kind is Kind.BOOLEAN and value is not None else value


def test_the_loop_is_the_one_that_writes(monkeypatch):
    monkeypatch.setattr(encode, "joined", None)
    rows = made(Random(1), 20)
    assert len(ENCODER.frames(rows)) == 20


def test_what_lies_under_a_null_is_not_written():
    offsets, memory = pa.py_buffer(np.array([0, 2, 4], np.int32)), pa.py_buffer(b"abcd")
    values = pa.Array.from_buffers(pa.string(), 2, [pa.py_buffer(b"\x01"), offsets, memory])
    schema = '{"type": "record", "name": "R", "fields": [{"name": "a", "type": ["null", "string"]}]}'
    encoder = Encoder(Contract("s-value", 1, schema, 7))
    found = encoder.frames(pa.RecordBatch.from_arrays([values], schema=encoder.schema))
    assert [value[5:] for value in found.to_pylist()] == [b"\x02\x04ab", b"\x00"]


def test_more_than_one_array_holds_is_left_to_arrow(monkeypatch):
    monkeypatch.setattr(avro_writing, "_MOST_BYTES", 5)
    rows = made(Random(2), 3)
    by_loop, by_pieces = both(rows, {})
    assert by_loop.equals(by_pieces)


NUMBERS, TEXT = np.zeros(3, np.int64), np.zeros(3, np.uint8)


def numbers(rows=3, **more):
    return Part(avro_writing.LONG, NEVER_NULL, rows, NUMBERS.ctypes.data, **more)


def text(*ends, rows=3):
    return Part(avro_writing.TEXT, NEVER_NULL, rows, TEXT.ctypes.data, np.array(ends, np.int32), len(TEXT))


@pytest.mark.parametrize(
    "part",
    [
        numbers(2),
        numbers(valid=np.ones(2, np.uint8)),
        text(0, 1, 2, rows=2),
        text(0, 2, 1, 3),
        text(0, 1, 2, 4),
        text(-1, 1, 2, 3),
    ],
)
def test_a_column_that_does_not_fit_is_refused(part):
    code = compiled(Writing)
    assert code is not None
    with pytest.raises(ValueError, match="3 rows"):
        code.frames([b"x", part], 3)
