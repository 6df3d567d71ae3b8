"""The Rust codec, with our checks around it, against fastavro on every contract; and bytes that nobody meant."""

import io
import json
import math
import struct

import fastavro
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from weir.core.rejects import Reason
from weir.wire import frame, shape
from weir.wire.decode import Decoder
from weir.wire.encode import Encoder
from weir.wire.shape import Kind

from tests import examples

MAX_BYTES = 65_536
HEADER = frame.header(7)
CONTRACTS = {record: examples.contract(record) for record in examples.RECORDS}
DECODERS = {record: Decoder(contract, lambda _: None) for record, contract in CONTRACTS.items()}
ENCODERS = {record: Encoder(contract) for record, contract in CONTRACTS.items()}
PARSED = {
    record: fastavro.parse_schema(json.loads(contract.schema.replace("timestamp-millis", "none")))
    for record, contract in CONTRACTS.items()
}

LONG = st.integers(-(2**63), 2**63 - 1)
VALUES = {
    Kind.STRING: st.text(st.characters(codec="utf-8"), max_size=20),
    Kind.BYTES: st.binary(max_size=40),
    Kind.INT: st.integers(-(2**31), 2**31 - 1),
    Kind.LONG: LONG,
    Kind.FLOAT: st.floats(width=32),
    Kind.DOUBLE: st.floats(),
    Kind.BOOLEAN: st.booleans(),
    Kind.TIMESTAMP_MILLIS: LONG,
    Kind.TIMESTAMP_MICROS: LONG,
    Kind.AMOUNTS: st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), st.floats(), max_size=4),
}


def rows_of(record):
    fields = shape.parse(CONTRACTS[record].schema).fields
    values = {f.name: st.none() | VALUES[f.kind] if f.nullable else VALUES[f.kind] for f in fields}
    return st.lists(st.fixed_dictionaries(values), max_size=6)


def reference(record, row):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, PARSED[record], row)
    return out.getvalue()


def columns(record, rows):
    schema = DECODERS[record].schema
    return pa.RecordBatch.from_arrays(
        [
            pa.array([row[field.name] for row in rows], pa.int64()).cast(field.type)
            if pa.types.is_timestamp(field.type)
            else pa.array([_items(row[field.name]) for row in rows], field.type)
            for field in schema
        ],
        schema=schema,
    )


def plain(rows):
    """Rows as fastavro gives them: timestamps as integers; NaN comparable by its bits."""
    arrays = [c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c for c in rows.columns]
    return [comparable(row) for row in pa.RecordBatch.from_arrays(arrays, names=rows.schema.names).to_pylist()]


def comparable(row):
    return {name: _comparable(value) for name, value in row.items()}


def _comparable(value):
    if isinstance(value, dict | list):  # a map; of a name that comes twice the reference keeps the last
        return comparable(dict(value))
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else struct.pack("<d", value)
    return value


def _items(value):
    return list(value.items()) if isinstance(value, dict) else value


by_record = pytest.mark.parametrize("record", examples.RECORDS)
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]  # a request has 23 fields to draw
moderate = settings(max_examples=25, deadline=None, suppress_health_check=SLOW)


@by_record
@moderate
@given(data=st.data())
def test_what_the_reference_writes_is_read_as_it_was(record, data):
    rows = data.draw(rows_of(record))
    decoded = DECODERS[record].decode([HEADER + reference(record, row) for row in rows], MAX_BYTES)
    assert len(decoded.rejects) == 0
    assert decoded.rows.schema == DECODERS[record].schema
    assert plain(decoded.rows) == [comparable(row) for row in rows]
    assert decoded.origin.tolist() == list(range(len(rows)))


@by_record
@moderate
@given(data=st.data())
def test_what_is_written_is_what_the_reference_writes(record, data):
    rows = data.draw(rows_of(record))
    written = ENCODERS[record].encode(columns(record, rows))
    assert written == [HEADER + reference(record, row) for row in rows]


def damaged(good):
    """Ways to spoil a framed record."""
    at = st.integers(0, len(good) - 1)
    return st.one_of(
        at.map(lambda i: good[:i]),
        st.binary(min_size=1, max_size=12).map(lambda more: good + more),
        st.tuples(at, st.binary(min_size=1, max_size=12)).map(lambda p: good[: p[0]] + p[1] + good[p[0] + len(p[1]) :]),
        st.tuples(at, st.binary(min_size=1, max_size=12)).map(lambda p: good[: p[0]] + p[1] + good[p[0] :]),
        st.binary(max_size=200),
        st.binary(max_size=200).map(lambda body: HEADER + body),
        st.none(),
    )


@by_record
@moderate
@given(data=st.data())
def test_spoilt_records_do_no_harm_to_the_others(record, data):
    """Whatever bytes come: nothing raises, every record is a row or a reject, untouched ones are rows; and a row is
    what the reference reads from the same bytes, to their end.
    """
    row = data.draw(rows_of(record).filter(bool))[0]
    good = HEADER + reference(record, row)
    values = data.draw(st.lists(st.just(good) | damaged(good), min_size=1, max_size=12))
    decoded = DECODERS[record].decode(values, MAX_BYTES)
    assert sorted([*decoded.origin.tolist(), *decoded.rejects.record.tolist()]) == list(range(len(values)))
    assert (np.diff(decoded.origin) > 0).all()
    untouched = {i for i, value in enumerate(values) if value == good}
    assert untouched <= set(decoded.origin.tolist())
    decoded.rows.validate(full=True)
    for read, i in zip(plain(decoded.rows), decoded.origin.tolist(), strict=True):
        source = io.BytesIO(values[i][5:])
        assert read == comparable(fastavro.schemaless_reader(source, PARSED[record], None))
        assert source.read() == b""


@given(bad=st.sets(st.integers(0, 511), max_size=12), how=st.sampled_from(["cut", "longer", "garbage", "text"]))
@settings(max_examples=40, deadline=None)
def test_halving_finds_exactly_the_bad_ones(bad, how):
    good = HEADER + examples.good("outcomes")[0].body
    spoilt = {
        "cut": good[:-1],
        "longer": good + b"\0",
        "garbage": HEADER + b"\xff" * 30,
        "text": good[:6] + b"\xff\xfe" + good[8:],
    }[how]
    values = [spoilt if i in bad else good for i in range(512)]
    decoded = DECODERS["outcomes"].decode(values, MAX_BYTES)
    assert set(decoded.rejects.record.tolist()) == bad
    assert set(decoded.rejects.reason) <= {Reason.UNDECODABLE}
    assert decoded.rows.num_rows == 512 - len(bad)


ODD = st.none() | st.binary(max_size=12) | st.binary(max_size=6).map(lambda rest: b"\0" + rest)


@given(values=st.lists(ODD, max_size=20))
@settings(max_examples=200, deadline=None)
def test_frames_are_split_as_struct_would(values):
    framed = frame.split(pa.array(values, pa.large_binary()), max_bytes=9)
    for i, value in enumerate(values):
        ok = value is not None and 5 <= len(value) <= 9 and value[0] == 0
        assert framed.good[i] == ok
        if ok:
            assert framed.schema_id[i] == struct.unpack(">i", value[1:5])[0]
    assert framed.rejects.record.tolist() == np.flatnonzero(~framed.good).tolist()
