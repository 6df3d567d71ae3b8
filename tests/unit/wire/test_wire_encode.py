"""What the encoder takes and refuses. That its bytes are right is held by tests/golden and tests/property."""

import pyarrow as pa
import pytest
from weir.core.contract import Contract
from weir.wire import encode
from weir.wire.decode import Decoder
from weir.wire.encode import Encoder

from tests.unit.wire.test_wire_decode import record

SCHEMA = record(
    ("s", "string"),
    ("n", ["null", "string"]),
    ("i", "int"),
    ("b", "bytes"),
    ("t", {"type": "long", "logicalType": "timestamp-millis"}),
)
CONTRACT = Contract("s-value", 1, SCHEMA, 258)


def batch(**changes):
    columns = {
        "s": pa.array(["a", "b"]),
        "n": pa.array([None, "x"]),
        "i": pa.array([1, 2], pa.int32()),
        "b": pa.array([b"\xff", b""]),
        "t": pa.array([5, 6], pa.timestamp("ms", "UTC")),
    }
    return pa.record_batch({name: value for name, value in (columns | changes).items() if value is not None})


def test_the_frame_carries_the_id():
    values = Encoder(CONTRACT).encode(batch())
    assert [value[:5] for value in values] == [b"\0\0\0\x01\x02"] * 2


@pytest.mark.parametrize(
    "changes",
    [
        {"s": pa.array(["a", "b"]).dictionary_encode()},
        {"s": pa.array(["a", "b"], pa.large_string())},
        {"i": pa.array([1, 2], pa.int64())},
        {"t": pa.array([5, 6], pa.timestamp("ms"))},
        {"t": pa.array([5000, 6000], pa.timestamp("us", "UTC"))},
        {"b": pa.array([b"\xff", b""], pa.large_binary())},
        {"extra": pa.array([1, 2])},
    ],
)
def test_a_column_of_another_type_is_cast_when_nothing_is_lost(changes):
    assert Encoder(CONTRACT).encode(batch(**changes)) == Encoder(CONTRACT).encode(batch())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"s": None}, "column s is missing"),
        ({"s": pa.array(["a", None])}, "column s has 1 nulls"),
        ({"i": pa.array([1, 2**31], pa.int64())}, "column i is int64"),
        ({"t": pa.array([5001, 6000], pa.timestamp("us", "UTC"))}, "column t is timestamp"),
        ({"s": pa.array([[1], [2]])}, "column s is list"),
    ],
)
def test_a_column_that_would_be_written_wrong_is_an_error(changes, says):
    with pytest.raises(ValueError, match=says):
        Encoder(CONTRACT).encode(batch(**changes))


def test_a_slice_is_written_as_the_slice():
    whole = Encoder(CONTRACT).encode(batch())
    assert Encoder(CONTRACT).encode(batch().slice(1)) == whole[1:]
    assert Encoder(CONTRACT).encode(batch().slice(2)) == []


def test_a_batch_past_the_codecs_limit_is_written_in_parts(monkeypatch):
    rows = pa.concat_batches([batch()] * 20)
    whole = Encoder(CONTRACT).encode(rows)
    monkeypatch.setattr(encode, "_CALL_BYTES", 200)
    assert Encoder(CONTRACT).encode(rows) == whole
    assert Decoder(CONTRACT, lambda _: None).decode(whole, 1000).rows.num_rows == 40
