"""Records by the compiled loop, and by the Rust codec."""

from __future__ import annotations

import json
from random import Random

import llvmlite  # noqa: F401 - where it is in memory, the loop is compiled
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from weir.native.loops import compiled, loops
from weir.wire import avro_decode, frame
from weir.wire.avro_decode import Writer, clean
from weir.wire.avro_reading import Layout, Reading
from weir.wire.decode import Decoder

from tests.fuzz import mutate, records


def without_maps(schema: str) -> str:
    raw = json.loads(schema)
    raw["fields"] = [field for field in raw["fields"] if "map" not in str(field["type"])]
    return json.dumps(raw)


SCHEMA = without_maps(records.wide_schema())
TARGETS = {
    "as it is": records.Target("compiled", SCHEMA, SCHEMA, records.READER_ID),
    "evolved": records.Target("compiled", SCHEMA, records.evolved(SCHEMA), records.EVOLVED_ID),
}


def both(target: records.Target, values: list[bytes], cut: int = 0) -> tuple[pa.RecordBatch | None, ...]:
    """All rows by the loop and by the codec; None where one of them does not take them."""
    array = pa.array([b"before"] * cut + values + [b"behind"] * cut, pa.large_binary()).slice(cut, len(values))
    decoder, schema_id = target.decoder, target.writer_id
    writer = decoder._writer_of(schema_id)
    assert isinstance(writer, Writer)
    assert avro_decode.reading(writer) is not None
    by_loop = clean(writer, schema_id, array)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(avro_decode, "reading", lambda _: None)
        return by_loop, clean(writer, schema_id, array)


def same(left: pa.RecordBatch, right: pa.RecordBatch) -> bool:
    """To the bit: NaN is NaN, and a zero has its sign."""
    left.validate(full=True)
    return left.schema == right.schema and all(
        a.is_valid().equals(b.is_valid()) and bits(a).equals(bits(b)) for a, b in zip(left, right, strict=True)
    )


def bits(column: pa.Array) -> pa.Array:
    width = {pa.float32(): pa.int32(), pa.float64(): pa.int64()}.get(column.type)
    return column.view(width) if width else column


@given(st.integers(0, 2**32), st.sampled_from(sorted(TARGETS)), st.integers(1, 40), st.integers(0, 3))
def test_good_records_are_the_same_rows(seed, name, count, cut):
    random = Random(seed)
    by_loop, by_codec = both(TARGETS[name], [TARGETS[name].good(random) for _ in range(count)], cut)
    assert by_loop is not None
    assert by_codec is not None
    assert same(by_loop, by_codec)


@settings(max_examples=300)
@given(st.integers(0, 2**32), st.sampled_from(sorted(TARGETS)))
def test_what_the_loop_takes_of_spoilt_records_the_codec_takes_as_the_same_row(seed, name):
    random, target = Random(seed), TARGETS[name]
    goods = [target.good(random) for _ in range(4)]
    for _ in range(10):
        good = random.choice(goods)
        value = random.choice((b"", good[:5])) + mutate.spoilt(random, random.choice((good, good[5:])), goods)
        by_loop, by_codec = both(target, [value])
        if by_loop is not None:
            assert by_codec is not None, value.hex()
            assert same(by_loop, by_codec), value.hex()
        verdict = target.verdict(value)
        if by_codec is not None and isinstance(verdict, dict) and target.canonical(value, verdict):
            assert by_loop is not None, value.hex()


@pytest.mark.parametrize("at", [0, 3, 9])
def test_one_bad_record_among_others_is_found_wherever_it_is(at):
    target = TARGETS["as it is"]
    values = [target.good(Random(i)) for i in range(10)]
    values[at] += b"\0"
    assert both(target, values) == (None, None)
    decoded = target.decoder.decode(values, records.MAX_BYTES)
    assert decoded.rejects.record.tolist() == [at]
    assert decoded.rows.num_rows == 9


def test_a_record_that_ends_within_the_next_ones_bytes_is_none():
    target = TARGETS["as it is"]
    good = target.good(Random(1))
    assert both(target, [good[:-1], good[-1:] + good]) == (None, None)


@pytest.mark.parametrize("number", [b"\x80" * 9 + b"\x02", b"\xff" * 10, b"\x80" * 12 + b"\0"])
def test_a_number_past_64_bits_is_left_to_the_codec(number):
    schema = json.dumps({"type": "record", "name": "R", "fields": [{"name": "n", "type": "long"}]})
    decoder = Decoder(records.Contract("s-value", 1, schema, 1), {}.get)
    writer = decoder._writer_of(1)
    values = pa.array([frame.header(1) + number], pa.large_binary())
    ends = np.array([0, len(values[0].as_py())], np.int64)
    memory = np.frombuffer(values[0].as_py(), np.uint8)
    code, copies = compiled(Reading), loops()
    assert code is not None
    assert copies is not None
    assert code.read(copies, writer.layout, 1, ends, memory) is None


def test_the_least_and_the_greatest_number_are_read():
    schema = json.dumps({"type": "record", "name": "R", "fields": [{"name": "n", "type": "long"}]})
    target = records.Target("numbers", schema, schema, records.READER_ID)
    header = frame.header(records.READER_ID)
    by_loop, by_codec = both(target, [header + b"\xff" * 9 + b"\x01", header + b"\xfe" + b"\xff" * 8 + b"\x01"])
    assert by_loop is not None
    assert by_loop.column("n").to_pylist() == [-(2**63), 2**63 - 1]
    assert by_loop == by_codec


@pytest.mark.parametrize("ends", [[0, 9], [-1, 4], [3, 2]])
def test_ends_outside_of_the_memory_are_refused(ends):
    code, copies = compiled(Reading), loops()
    assert code is not None
    assert copies is not None
    with pytest.raises(ValueError, match="do not cut"):
        code.read(copies, Layout(()), 1, np.array(ends, np.int64), np.zeros(8, np.uint8))
