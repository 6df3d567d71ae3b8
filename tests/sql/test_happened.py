"""What happened to a service beside its alerts: versions that come and come back, what they read, lag, deeds."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from weir.core import numbers
from weir.edges.clickhouse.client import connect
from weir.monitor.measurement import State
from weir.web.console import happened, releases
from weir.web.console.asking import Asker

from tests.databases import migrated
from tests.doubles.measured import figure, record

SERVICE = "parcels"
DAY = datetime(2026, 11, 20, tzinfo=UTC)
BUNDLES = {
    "d7": ("7", ["stats"], ["weight", "size"], "f1"),
    "d8": ("8", ["stats", "weather"], ["weight", "wind"], "f2"),
}
# hour, digest, answers: 8 begins late in the hour of 9 and has the most from 10 on; 7 is back at 14
ANSWERED = [
    *((hour, "d7", 60) for hour in range(9)),
    (9, "d7", 40),
    (9, "d8", 20),
    *((hour, "d8", 60) for hour in range(10, 14)),
    *((hour, "d7", 60) for hour in (14, 15)),
]


@pytest.fixture(scope="module")
def asker(databases):
    with migrated(databases) as settings:
        client = connect(settings.recording)
        _insert(client, "traffic_hour", [_traffic(*one) for one in ANSWERED])
        _insert(client, "bundles", [_bundle(digest) for digest in BUNDLES])
        _insert(client, "predictions", [_prediction(hour, 4 if hour >= 11 else 3) for hour in range(16)])
        behind = [(12, 2.0, State.OK), (13, 9.0, State.WARN), (14, 75.0, State.PAGE), (15, 1.0, State.OK)]
        record(client, [figure(SERVICE, "health/lag", lag, _at(hour), state=how) for hour, lag, how in behind])
        _insert(
            client, "actions", [_action("promote-back", 13, "learners/hybrid"), _action("sampling", 15, "budgets/b")]
        )
        sent = [{"given_up_by": "", "given_up_for": ""}] * 2 + [{"given_up_by": "ada@desk", "given_up_for": "a test"}]
        _insert(client, "redrives", [_redrive(at, one) for at, one in enumerate(sent)])
        found = Asker(settings)
        yield found
        found.close()


def test_a_version_that_comes_back_is_a_stretch_of_its_own(asker):
    found = releases.of(asker, SERVICE)
    assert [(one.label, one.since, one.predictions) for one in found] == [
        ("v7", _at(0), 590),
        ("v8", _at(9), 244),
        ("v7 again", _at(14), 122),
    ]
    assert releases.of(asker, "nobody") == []


def test_what_happened_is_told_in_order_each_with_what_is_known_of_it(asker):
    found = happened.happened(asker, SERVICE, _at(2), _at(20))
    said = [(one.at.hour, one.what, one.by) for one in found.events]
    assert said == [
        (9, "release v8", ""),
        (9, "features of v8", ""),
        (11, "input contract 4", ""),
        (12, "lag", ""),
        (13, "way back", "hybrid"),
        (14, "release v7 again", ""),
        (14, "features of v7", ""),
        (15, "proposal", "budgets/b"),
        (16, "2 dead letters sent again", "desk/1"),
        (16, "1 dead letter given up", "ada@desk"),
    ]
    told = {one.what: one.said.replace(numbers.THIN, " ") for one in found.events}
    assert told["features of v8"] == (
        "View weather is new. Input wind is new. Input size is gone. Definitions of features are others."
    )
    assert told["input contract 4"] == "all of the requests of that hour were written with it; before, most with 3"
    assert told["lag"] == "requests waited up to 1.2 min for their batch, for 2 h"
    assert told["1 dead letter given up"] == "a test"
    assert found.lacking == ""
    hour = happened.happened(asker, SERVICE, _at(13), _at(14)).events
    assert [one.what for one in hour] == ["lag", "way back"], "what goes on from before is told, too"
    long = happened.happened(asker, SERVICE, _at(2), _at(2) + timedelta(days=30))
    assert long.lacking == "which contract requests were written with after 29 Nov 02:00"


def test_contracts_of_several_callers_are_told_as_they_come_and_lead():
    hours = [{3: 90, 5: 10}, {3: 80, 5: 10, 6: 10}, {3: 40, 5: 60}, {3: 40, 5: 60}]
    rows = [
        {"begin": _at(hour), "contract": contract, "n": n, "since": _at(hour) + timedelta(minutes=contract)}
        for hour, of in enumerate(hours)
        for contract, n in of.items()
    ]
    found = [(one.at, one.what, one.said.replace(numbers.THIN, " ")) for one in happened.contracted(rows)]
    assert found == [
        (
            _at(1) + timedelta(minutes=6),
            "input contract 6",
            "10.0 % of the requests of that hour were written with it; before, most with 3",
        ),
        (_at(2), "input contract 5 leads", "most requests are written with it, before with 3"),
    ]
    assert happened.contracted([]) == []


def _at(hour: int) -> datetime:
    return DAY + timedelta(hours=hour)


def _insert(client, table, rows):
    data = [list(row.values()) for row in rows]
    token = {"insert_deduplication_token": uuid.uuid4().hex}
    client.insert(table, data, column_names=[*rows[0]], settings=token)


def _traffic(hour, digest, n):
    version = BUNDLES[digest][0]
    row = {"service": SERVICE, "window": _at(hour), "digest": digest, "version": version, "variant": "champion"}
    return {**row, "tenant": f"t{hour % 2}", "team": "", "n": n}


def _bundle(digest):
    version, views, inputs, features = BUNDLES[digest]
    named = {"digest": digest, "service": SERVICE, "version": version, "role": "scorer", "written_at": DAY}
    return {**named, "views": views, "inputs": inputs, "feature_fingerprint": features}


def _prediction(hour, contract):
    """Counted as traffic, too, by the views."""
    digest = "d8" if 10 <= hour < 14 else "d7"
    named = {"prediction_id": uuid.UUID(int=hour + 1), "request_id": str(hour), "service": SERVICE, "digest": digest}
    times = {"event_time": _at(hour), "scored_at": _at(hour)}
    return {**named, **times, "version": digest[1:], "variant": "champion", "contract_id": contract}


def _action(kind, hour, by):
    named = {"action_id": uuid.uuid4(), "kind": kind, "service": SERVICE, "proposed_by": by, "sentence": "do it"}
    return {**named, "parameters": "{}", "evidence": "{}", "begin": _at(hour), "end": _at(hour), "at": _at(hour)}


def _redrive(offset, given):
    named = {"batch": 1, "run": uuid.UUID(int=7), "worker": "desk/1", "service": SERVICE, "source_log": "log"}
    place = {"source_topic": "weir.requests.parcels", "source_partition": 0, "source_offset": offset, "repair": "none"}
    return {**named, **place, **given, "announced_at": _at(16) + timedelta(seconds=offset)}
