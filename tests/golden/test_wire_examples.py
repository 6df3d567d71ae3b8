"""The examples of schemas/ are what decoder and encoder are held to, byte by byte."""

import json
from functools import partial

import fastavro
import numpy as np
import pyarrow as pa
import pytest
from weir.core.batch import ClosedBy, MicroBatch
from weir.core.bundle import Bundle
from weir.core.chunk import Chunk, Partition
from weir.core.clock import EventClock
from weir.core.features import FeatureBlock, ServicePlan, ViewPlan
from weir.core.signature import Source
from weir.demo.signature import SERVICE, SIGNATURE
from weir.scoring.predict import Scorer, Service
from weir.scoring.route import Route
from weir.scoring.variant import Variant
from weir.wire.decode import Decoder
from weir.wire.encode import Encoder

from tests import examples

REFS = [item.ref.split("__") for item in SIGNATURE.of(Source.FEATURE)]
PLANNED = [
    ViewPlan(view, (), features := tuple(f for v, f in REFS if v == view), ("float32",) * len(features), 0.0)
    for view in dict.fromkeys(view for view, _ in REFS)
]
GOOD = [example for record in examples.RECORDS for example in examples.good(record)]
REJECTED = [example for record in examples.RECORDS for example in examples.rejected(record)]
MAX_BYTES = 65_536


def named(example):
    return f"{example.record}-{example.name}"


def plain(rows: pa.RecordBatch) -> list[dict]:
    """Rows with timestamps as integers."""
    columns = [c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c for c in rows.columns]
    return pa.RecordBatch.from_arrays(columns, names=rows.schema.names).to_pylist(maps_as_pydicts="strict")


@pytest.mark.parametrize("record", examples.RECORDS)
def test_every_record_has_examples(record):
    assert examples.good(record)
    assert examples.rejected(record)


@pytest.mark.parametrize("example", GOOD, ids=named)
def test_a_good_example_is_its_bytes(example):
    contract = examples.contract(example.record)
    assert examples.body(contract.schema, example.row) == example.body
    value = b"\0\0\0\0\x07" + example.body
    decoded = Decoder(contract, lambda _: None).decode([value], MAX_BYTES)
    assert len(decoded.rejects) == 0
    assert plain(decoded.rows) == [example.row]
    assert Encoder(contract).encode(decoded.rows) == [value]


@pytest.mark.parametrize("example", REJECTED, ids=named)
def test_a_rejected_example_is_rejected_for_its_reason(example):
    contract = examples.contract(example.record)
    decoded = Decoder(contract, lambda _: None).decode([example.value], MAX_BYTES)
    if example.stage == "decode":
        assert [(str(s), str(r)) for s, r in zip(decoded.rejects.stage, decoded.rejects.reason, strict=True)] == [
            ("decode", example.reason)
        ]
        assert decoded.rows.num_rows == 0
    else:
        assert len(decoded.rejects) == 0, "the bytes are in order; a later stage rejects it"


@pytest.mark.parametrize("example", [example for example in REJECTED if example.stage != "decode"], ids=named)
def test_a_later_stage_rejects_an_example_for_its_reason(example):
    """Through the scorer of the service that the example asks; the good ones beside it are scored."""
    good = [b"\0\0\0\0\x07" + one.body for one in examples.good(example.record)]
    values = pa.array([*good, example.value], pa.large_binary())
    chunk = Chunk(Partition("t", 0), 0, len(values) - 1, values, values, np.arange(len(values)), 0, 0, 0.0)
    scored = flights_scorer().score(MicroBatch((chunk,), ClosedBy.ROWS, 0.0), tick=lambda: 0.0)
    assert scored.rejects.record.tolist() == [len(good)]
    assert (scored.rejects.stage[0].value, scored.rejects.reason[0].value) == (example.stage, example.reason)
    assert scored.scored == len(good)


class NoFeatures:
    """An online store that is empty."""

    plan = ServicePlan("weir", "flights", tuple(PLANNED))

    def read(self, keys, now_us):
        n, views, columns = len(keys["carrier"]), len(self.plan.views), len(self.plan.columns)
        missing = np.full((n, columns), np.nan, np.float32)
        return FeatureBlock(missing, np.zeros((n, views), np.int64), np.zeros((n, views), np.bool_), 0, 0)


def flights_scorer() -> Scorer:
    bundle = Bundle(
        service=SERVICE,
        name="m",
        version="1",
        owner="o",
        signature=SIGNATURE,
        digest="0" * 64,
        feature_service="flights",
        feature_fingerprint="f",
    )
    known = np.zeros((1, len(SIGNATURE.inputs)), np.float32)
    variant = Variant("champion", bundle, lambda matrix: matrix[:, 0] * 0, known, NoFeatures())
    decoder = Decoder(examples.contract(f"requests.{SERVICE}"), lambda _: None)
    decode = partial(decoder.decode, max_bytes=MAX_BYTES)
    return Scorer(Service(decode, (variant,), Route(("champion",)), EventClock(), max_failed=0))


@pytest.mark.parametrize("record", examples.RECORDS)
def test_all_examples_of_a_record_in_one_batch(record):
    """Good ones between bad ones: exactly the bad ones are rejected, and the good ones keep their order."""
    contract = examples.contract(record)
    good = examples.good(record)
    bad = [example for example in examples.rejected(record) if example.stage == "decode"]
    values, expected, reasons = [], [], []
    for i in range(max(len(bad), 1) * 8):
        example = good[i % len(good)]
        values.append(b"\0\0\0\0\x07" + example.body)
        expected.append(example.row)
        if i % 8 == 3 and i // 8 < len(bad):
            reasons.append((len(values), bad[i // 8].reason))
            values.append(bad[i // 8].value)
    decoded = Decoder(contract, lambda _: None).decode(values, MAX_BYTES)
    found = zip(decoded.rejects.record.tolist(), map(str, decoded.rejects.reason), strict=True)
    assert list(found) == reasons
    assert plain(decoded.rows) == expected
    assert decoded.origin.dtype == np.int32
    assert sorted([*decoded.origin.tolist(), *decoded.rejects.record.tolist()]) == list(range(len(values)))


def test_examples_use_every_reason_of_the_decode_stage():
    assert {example.reason for example in REJECTED if example.stage == "decode"} == {
        "empty",
        "oversized",
        "bad_frame",
        "unknown_schema",
        "undecodable",
    }


@pytest.mark.parametrize("record", examples.RECORDS)
def test_rejected_bodies_are_not_readable_by_the_reference_either(record):
    """Truncated or left-over examples are wrong for fastavro too, so the examples themselves are right."""
    schema = fastavro.parse_schema(json.loads(examples.contract(record).schema))
    assert schema
    for example in examples.rejected(record):
        if example.name in ("truncated", "left_over"):
            assert example.value is not None
            with pytest.raises((EOFError, IndexError, AssertionError, ValueError)):
                examples.read(examples.contract(record).schema, example.value[5:])
