"""Measurements, transitions, actions and notes through their contracts: what is written is what is read."""

import dataclasses
import json
import math

import pytest
from weir.core.chunk import LogPartition
from weir.monitor.action import Action
from weir.monitor.alert import AlertState, Mark, Note, NoteKind, Severity, Transition, Watched
from weir.monitor.measurement import Covered, Key, Measurement, State
from weir.recording import tables
from weir.wire.decode import Decoder
from weir.wire.encode import Encoder

from tests.doubles import records

HOUR_MS = 3_600_000
COVERS = (Covered("log", "weir.requests.card", 0, 5, 9), Covered("log", "weir.requests.card", 1, 0, 2**40))
MEASURED = Measurement(
    key=Key(monitor="drift/psi", service="card", subject="amount", segment="version=3", step_s=3600),
    monitor_sha="3fa94c01b2de",
    baseline="reference:1",
    begin_ms=records.BASE_MS,
    end_ms=records.BASE_MS + HOUR_MS,
    value=0.25,
    unit="psi",
    n=1000,
    p=1e-300,
    log_e=300.5,
    state=State.PAGE,
    details={"edges": [1.5, 2.0], "base": "e"},
    covers=COVERS,
    revision=1,
    memory={"log_m": 4.5, "alert": {"state": "ok"}},
    computed_ms=records.BASE_MS + 2 * HOUR_MS,
    worker="w:1",
)
FIRED = Transition(
    watched=Watched(service="card", monitor="drift/psi", subject="amount", owner="payments", cause="drift"),
    number=2,
    alert_id="0123456789ab",
    from_state=AlertState.PENDING,
    to_state=AlertState.FIRING,
    at_ms=records.BASE_MS,
    severity=Severity.PAGE,
    sentence="psi of amount is 0.25, above 0.1",
    evidence={"monitor": "drift/psi", "value": 0.25},
    begin_ms=records.BASE_MS - HOUR_MS,
    end_ms=records.BASE_MS,
    covers=COVERS,
    memory={"number": 2},
)
PROPOSED = Action(
    kind="variant",
    service="card",
    subject="team=risk",
    proposed_by="budgets/month",
    sentence="let variant small answer",
    parameters={"variant": "small"},
    evidence={"monitor": "cost/budgets"},
    measurement_id=MEASURED.measurement_id,
    begin_ms=records.BASE_MS,
    end_ms=records.BASE_MS + HOUR_MS,
    at_ms=records.BASE_MS,
)
SILENCE = Note(
    note_id="2f0a0c1e-8f0b-4d83-8d5c-0d7b3c9a2f10",
    kind=NoteKind.SILENCE,
    matchers={"monitor": "drift/*", "service": "card"},
    by="mona",
    reason="campaign",
    at_ms=records.BASE_MS,
    until_ms=records.BASE_MS + HOUR_MS,
)


@pytest.mark.parametrize(
    ("record", "item"),
    [
        ("measurements", MEASURED),
        ("measurements", dataclasses.replace(MEASURED, value=None, p=None, log_e=None, covers=(), memory={})),
        ("alerts", FIRED),
        ("alerts", dataclasses.replace(FIRED, from_state=AlertState.FIRING, to_state=Mark.ACKNOWLEDGED, by="mona")),
        ("actions", PROPOSED),
        ("alert_notes", SILENCE),
        ("alert_notes", dataclasses.replace(SILENCE, kind=NoteKind.ACK, key="k", matchers={}, until_ms=None)),
    ],
)
def test_what_is_written_is_what_is_read_from_kafka_and_from_the_table(record, item):
    contract = records.contract(record)
    decoded = Decoder(contract, lambda _: None).decode([Encoder(contract).record(item.row())], 1 << 20)
    assert len(decoded.rejects) == 0
    assert type(item).of(decoded.rows.to_pylist()[0]) == item
    assert type(item).of(item.row()) == item
    assert len(getattr(tables, f"check_{record}")(decoded.rows)) == 0
    shaped = getattr(tables, record)(decoded.rows, LogPartition("log", f"weir.{record}", 0), range(1))
    assert type(item).of(shaped.to_pylist()[0]) == item


def test_what_is_not_finite_is_null_in_the_contract():
    odd = dataclasses.replace(MEASURED, value=math.nan, high=math.inf, details={"ratio": -math.inf, "n": [math.nan]})
    row = odd.row()
    assert (row["value"], row["high"], row["details"]) == (None, None, '{"n": [null], "ratio": null}')


def test_details_that_would_fill_a_record_are_left_out_and_the_rest_is_kept():
    words = {f"word {number}" * 20: number for number in range(10_000)}
    row = dataclasses.replace(MEASURED, details={"age_s": 5.0, "n_words": 10_000, "words": words}).row()
    left = json.loads(row["details"])
    assert left.pop("left_out_bytes") > 1_000_000
    assert left == {"age_s": 5.0, "n_words": 10_000}
    assert len(Encoder(records.contract("measurements")).record(row)) < 10_000


def test_an_id_is_of_key_window_and_revision_and_of_nothing_else():
    same = dataclasses.replace(MEASURED, value=7.0, worker="other", computed_ms=0)
    assert same.measurement_id == MEASURED.measurement_id
    others = [
        dataclasses.replace(MEASURED, revision=2),
        dataclasses.replace(MEASURED, begin_ms=0),
        *(
            dataclasses.replace(MEASURED, key=dataclasses.replace(MEASURED.key, **{name: value}))
            for name, value in {"monitor": "m", "service": "s", "subject": "", "segment": "", "step_s": 60}.items()
        ),
    ]
    assert len({MEASURED.measurement_id, *(other.measurement_id for other in others)}) == 8


def test_a_key_is_of_what_is_watched_and_not_of_who_is_told():
    moved = dataclasses.replace(FIRED.watched, owner="o", cause="c", runbook="r")
    assert moved.key == FIRED.watched.key
    assert dataclasses.replace(FIRED.watched, subject="", segment="amount").key != FIRED.watched.key


@pytest.mark.parametrize(
    ("matchers", "key", "fits"),
    [
        ({"monitor": "drift/*"}, "", True),
        ({"monitor": "drift/*", "severity": "page", "owner": "pay*"}, "", True),
        ({"monitor": "drift/*", "severity": "ticket"}, "", False),
        ({"monitor": "drift"}, "", False),
        ({"monitor": "drift/[p]si"}, "", False),
        ({"monitor": "drift/ps?"}, "", False),
        ({"subject": ""}, "", False),
        ({"nonsense": "*"}, "", True),
        ({}, "", False),
        ({}, FIRED.watched.key, True),
        ({}, "another", False),
    ],
)
def test_a_note_speaks_of_what_all_its_matchers_fit(matchers, key, fits):
    note = dataclasses.replace(SILENCE, matchers=matchers, key=key)
    assert note.fits(FIRED.watched, FIRED.severity) == fits
