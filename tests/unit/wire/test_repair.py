"""Records repaired field by field, or written anew."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from weir.wire.decode import Decoder
from weir.wire.encode import Encoder
from weir.wire.repair import fields_of, repaired

from tests import tiny_requests as tiny

CONTRACT = tiny.requests_contract()
DECODER, ENCODER = Decoder(CONTRACT, lambda schema_id: None), Encoder(CONTRACT)
GOOD = ENCODER.encode(tiny.changed(tiny.rows(1), deadline=tiny.AT_MS))[0]
WHOLE = {
    "request_id": "anew",
    "event_time": tiny.AT_MS,
    "tenant": "t",
    "team": "risk",
    "customer": "c",
    "amount": 1.5,
    "items": 2,
    "channel": "web",
}


def repair(value: bytes | None, **fields: object) -> dict:
    made = fields_of(DECODER, repaired(DECODER, ENCODER, value, fields))
    assert made is not None
    return made


def test_only_what_is_named_is_changed() -> None:
    before = fields_of(DECODER, GOOD)
    assert repair(GOOD) == before
    assert repair(GOOD, deadline=None, amount=7) == {**before, "deadline": None, "amount": 7.0}


def test_a_record_that_is_too_large_for_a_scorer_is_made_smaller() -> None:
    large = repaired(DECODER, ENCODER, GOOD, {"customer": "c" * 1_000_000})
    assert repair(large, customer="c") == repair(GOOD, customer="c")


@pytest.mark.parametrize("when", [tiny.AT_MS, "2013-07-01T00:00:00+00:00", "2013-07-01T02:00:00+02:00"])
def test_times_are_milliseconds_or_iso(when: int | str) -> None:
    assert repair(GOOD, event_time=when)["event_time"] == datetime(2013, 7, 1, tzinfo=UTC)


@pytest.mark.parametrize("value", [None, b"", b"garbage", GOOD[:-3]])
def test_what_does_not_decode_must_be_written_anew(value: bytes | None) -> None:
    assert fields_of(DECODER, value) is None
    made = repair(value, **WHOLE)
    assert (made["request_id"], made["amount"], made["deadline"]) == ("anew", 1.5, None)
    with pytest.raises(ValueError, match="field request_id must have a value"):
        repair(value, amount=1.0)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"amuont": 1}, "no field amuont; it has request_id"),
        ({"amount": "much"}, "field amount is no float"),
        ({"request_id": None}, "field request_id must have a value"),
        ({"event_time": "yesterday"}, "field event_time is no timestamp.*: Invalid isoformat"),
        ({"items": 2**70}, "field items is no int64"),
    ],
)
def test_what_is_wrong_with_a_repair_is_said(fields: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        repair(GOOD, **fields)
