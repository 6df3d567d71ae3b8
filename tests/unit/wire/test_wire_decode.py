"""What the decoder does with records of several schemas, hostile bytes, and the limits of its codec."""

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from weir.core.contract import Contract
from weir.core.errors import Refused, Unavailable
from weir.core.rejects import Reason
from weir.settings import ROOT
from weir.wire import avro_decode, frame
from weir.wire.decode import Decoder
from weir.wire.encode import Encoder

from tests import examples

MAX_BYTES = 65_536


def record(*fields: tuple, name="R") -> str:
    """An Avro record of (name, type) or (name, type, default)."""
    declared = [{"name": f[0], "type": f[1]} | ({"default": f[2]} if len(f) > 2 else {}) for f in fields]
    return json.dumps({"type": "record", "name": name, "namespace": "test", "fields": declared})


def write(schema: str, schema_id: int, **columns) -> list[bytes]:
    contract = Contract("s-value", 1, schema, schema_id)
    encoder = Encoder(contract)
    arrays = [pa.array(columns[field.name], field.type) for field in encoder.schema]
    return encoder.encode(pa.RecordBatch.from_arrays(arrays, schema=encoder.schema))


V1 = record(("a", "string"), ("gone", "long", 5))
V2 = record(("a", "string"), ("b", ["null", "float"], None), ("c", "bytes", "\u00ff"))
OTHER = record(("a", "string"), name="Other")
WRITERS = {1: V1, 2: V2, 3: OTHER, 4: "not json", 5: record(("a", {"type": "array", "items": "int"}))}


def reader(known=WRITERS):
    return Decoder(Contract("s-value", 2, V2, 2), known.get)


def test_old_and_new_records_come_out_as_one_batch_in_record_order():
    old, new = write(V1, 1, a=["x", "y"], gone=[1, 2]), write(V2, 2, a=["p", "q"], b=[1.5, None], c=[b"", b"\x80"])
    decoded = reader().decode([old[0], new[0], new[1], old[1]], MAX_BYTES)
    assert len(decoded.rejects) == 0
    assert decoded.rows.to_pylist() == [
        {"a": "x", "b": None, "c": b"\xff"},
        {"a": "p", "b": 1.5, "c": b""},
        {"a": "q", "b": None, "c": b"\x80"},
        {"a": "y", "b": None, "c": b"\xff"},
    ]
    assert decoded.origin.tolist() == [0, 1, 2, 3]
    assert decoded.rows.schema == reader().schema


def test_numbers_are_widened_as_avro_says():
    narrow = record(("i", "int"), ("l", "long"), ("f", "float"), ("n", "int"))
    wide = record(("i", "long"), ("l", "double"), ("f", "double"), ("n", ["null", "long"], None))
    value = write(narrow, 1, i=[-1], l=[2**40], f=[0.5], n=[3])[0]
    decoded = Decoder(Contract("s-value", 2, wide, 2), {1: narrow}.get).decode([value], MAX_BYTES)
    assert decoded.rows.to_pylist() == [{"i": -1, "l": 2.0**40, "f": 0.5, "n": 3}]


@pytest.mark.parametrize(
    ("schema_id", "says"),
    [
        (3, "its record is "),
        (4, "no Avro schema"),
        (5, "written as array"),
        (99, "not registered"),
        (2**31 - 1, "not registered"),
    ],
)
def test_a_schema_that_cannot_be_read_rejects_its_records_only(schema_id, says):
    good = write(V2, 2, a=["p"], b=[1.0], c=[b""])[0]
    decoded = reader().decode([good, frame.header(schema_id) + b"\0", good], MAX_BYTES)
    assert decoded.rejects.record.tolist() == [1]
    assert decoded.rejects.reason == (Reason.UNKNOWN_SCHEMA,)
    assert says in decoded.rejects.detail[0]
    assert decoded.origin.tolist() == [0, 2]


NO_SIZES = (
    *("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "-1", "1.5", "4.0", "true", "null", '"4"'),
    *("9" * 30, "9" * 5000),
)


@pytest.mark.parametrize("number", NO_SIZES)
def test_a_fixed_whose_size_is_none_rejects_its_records_only(number):
    declared = '{"type": "fixed", "name": "F", "size": %s}' % number  # noqa: UP031  braces are JSON's
    schema = record(("a", "string"), ("f", "TYPE")).replace('"TYPE"', declared)
    assert rejected_for(schema) == [1]


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e400", "[" * 100_000])
@pytest.mark.parametrize("place", ["default", "doc", "precision"])
def test_what_is_no_number_anywhere_in_a_schema_rejects_its_records_only(number, place):
    schema = record(("a", "string")).replace('"string"', f'"string", "{place}": {number}')
    assert rejected_for(schema) == [1]
    with pytest.raises(Refused):
        Decoder(Contract("s-value", 2, schema, 2), {}.get)


def rejected_for(schema: str) -> list[int]:
    good = write(V2, 2, a=["p"], b=[1.0], c=[b""])[0]
    decoded = reader({**WRITERS, 8: schema}).decode([good, frame.header(8) + b"\2x", good], MAX_BYTES)
    assert decoded.rejects.reason == (Reason.UNKNOWN_SCHEMA,)
    return decoded.rejects.record.tolist()


def test_a_schema_registered_later_is_read_later():
    known = {2: V2}
    decoder = reader(known)
    value = write(V1, 1, a=["x"], gone=[1])[0]
    assert len(decoder.decode([value], MAX_BYTES).rejects) == 1
    known[1] = V1
    assert decoder.decode([value], MAX_BYTES).rows.num_rows == 1


def test_a_registry_that_does_not_answer_is_an_error_of_the_world():
    def down(_):
        raise Unavailable("the schema registry does not answer", remedy="start it")

    value = write(V1, 1, a=["x"], gone=[1])[0]
    with pytest.raises(Unavailable):
        Decoder(Contract("s-value", 2, V2, 2), down).decode([value], MAX_BYTES)


def test_nothing_in_nothing_out():
    decoded = reader().decode([], MAX_BYTES)
    assert decoded.rows.num_rows == 0
    assert decoded.rows.schema == reader().schema
    assert len(decoded.rejects) == 0
    assert decoded.origin.dtype == np.int32


def test_only_bad_records_leave_an_empty_batch_of_the_right_schema():
    decoded = reader().decode([None, b"", b"\0\0\0\0\x02\xff"], MAX_BYTES)
    assert decoded.rejects.reason == (Reason.EMPTY, Reason.EMPTY, Reason.UNDECODABLE)
    assert decoded.rows.schema == reader().schema


def test_left_over_bytes_that_imitate_the_tail_are_found():
    good = write(V2, 2, a=["p"], b=[1.0], c=[b""])[0]
    tail = avro_decode._TAIL
    for left_over in (tail, tail + tail, tail + b"x", b"x" + tail, tail[:3]):
        decoded = reader().decode([good, good + left_over], MAX_BYTES)
        assert decoded.origin.tolist() == [0]
        assert decoded.rejects.reason == (Reason.UNDECODABLE,)


def test_a_record_may_contain_the_tail():
    value = write(V2, 2, a=["p"], b=[1.0], c=[avro_decode._TAIL])[0]
    assert reader().decode([value], MAX_BYTES).rows.column("c").to_pylist() == [avro_decode._TAIL]


def test_text_that_is_not_utf8_is_rejected_and_bytes_are_not():
    good = write(V2, 2, a=["pp"], b=[None], c=[b"\xff\xfe"])[0]
    bad = good.replace(b"pp", b"\xff\xfe")
    decoded = reader().decode([good, bad, good], MAX_BYTES)
    assert decoded.rejects.record.tolist() == [1]
    assert "UTF-8" in decoded.rejects.detail[0]
    assert decoded.rows.column("c").to_pylist() == [b"\xff\xfe"] * 2


def test_an_int_past_32_bits_is_rejected():
    schema = record(("i", ["null", "int"]), ("j", "int"))
    longs = record(("i", ["null", "long"]), ("j", "long"))
    values = write(longs, 1, i=[None, 2**31, 5, None], j=[2**31 - 1, 0, -(2**31) - 1, -(2**31)])
    decoded = Decoder(Contract("s-value", 1, schema, 1), {}.get).decode(values, MAX_BYTES)
    assert decoded.rejects.record.tolist() == [1, 2]
    assert decoded.rejects.detail == ("field i does not fit 32 bits", "field j does not fit 32 bits")
    assert decoded.rows.to_pylist() == [{"i": None, "j": 2**31 - 1}, {"i": None, "j": -(2**31)}]


def test_slices_given_to_the_codec_stay_below_its_limit(monkeypatch):
    monkeypatch.setattr(avro_decode, "_CALL_BYTES", 100)
    values = write(V2, 2, a=[str(i) * (i % 90) for i in range(50)], b=[None] * 50, c=[b""] * 50)
    values[17] = values[17][:-1]
    decoded = reader().decode(values, MAX_BYTES)
    assert decoded.rejects.record.tolist() == [17]
    assert decoded.rows.column("a").to_pylist() == [str(i) * (i % 90) for i in range(50) if i != 17]


def test_a_contract_with_nested_values_is_refused():
    with pytest.raises(Refused, match=r"field test\.R\.a has type"):
        Decoder(Contract("s-value", 1, WRITERS[5], 5), WRITERS.get)


def test_eight_bad_records_in_a_batch_of_512():
    """Those of the decode stage; the others are the validation's."""
    bad = [example for example in examples.rejected("requests.flight-delay") if example.stage == "decode"][:8]
    good = b"\0\0\0\0\x07" + examples.good("requests.flight-delay")[0].body
    values: list[bytes | None] = [good] * 512
    places = [0, 1, 63, 64, 200, 333, 510, 511]
    for place, example in zip(places, bad, strict=True):
        values[place] = example.value
    decoded = Decoder(examples.contract("requests.flight-delay"), lambda _: None).decode(values, MAX_BYTES)
    assert decoded.rejects.record.tolist() == places
    assert list(map(str, decoded.rejects.reason)) == [example.reason for example in bad]
    assert decoded.rows.num_rows == 504


HOSTILE = """
import resource, sys
from weir.wire.decode import Decoder
from tests import examples
for name in examples.RECORDS:
    contract = examples.contract(name)
    decoder = Decoder(contract, lambda _: None)
    good = b"\\0\\0\\0\\0\\x07" + examples.good(name)[0].body
    decoder.decode([good] * 128, 65536)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for garbage in (b"\\xff" * 9 + b"\\x7f", b"\\xfe" + b"\\xff" * 8 + b"\\x01", b"\\x80" * 8 + b"\\x08",
                    b"\\xfe\\xff\\xff\\xff\\x0f", b"\\x01", b"\\xff" * 300, b"\\x80" * 300):
        values = [good[: 5 + i % 60] + garbage * 3 if i % 2 else good for i in range(128)]
        decoded = decoder.decode(values, 65536)
        assert decoded.rows.num_rows >= 64, name
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 64 * 1024, f"{name}: {grown} KiB"
print("survived")
"""


def test_lengths_near_the_end_of_the_number_line_neither_crash_nor_allocate():
    """In a process of its own, so that an abort or a blow-up is seen."""
    command = [sys.executable, "-c", HOSTILE]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "survived"
    assert "panicked" not in done.stderr
