"""Feast and the columnar path over the same records: plan, push, materialize, equality by name, training joins."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from structlog.testing import capture_logs
from weir.core.errors import Refused
from weir.core.features import ServicePlan, ViewPlan
from weir.core.signature import Input, JoinKey, Policy, Signature, Source
from weir.demo.rolling.history import history
from weir.demo.rolling.state import HOUR_US, VIEWS, WEATHER
from weir.edges.features import plan as feature_plan
from weir.edges.features.reader import FeatureReader
from weir.edges.features.store.lmdb import LmdbStore
from weir.edges.features.store.open import open_store
from weir.settings import ROOT, load
from weir.telemetry import Telemetry

from tests.bundles import opened_bundle, tiny_bundle

SERVICE = "flight_delay_v1"
BEGIN_US = int(datetime(2013, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
KEYS = ("carrier", "origin", "dest", "route", "flight_number", "plane")
EVENT = pa.schema(
    [
        ("kind", pa.string()),
        ("event_time", pa.timestamp("ms", tz="UTC")),
        ("carrier", pa.string()),
        ("origin", pa.string()),
        ("dest", pa.string()),
        ("flight_number", pa.string()),
        ("plane", pa.string()),
        ("delay", pa.float64()),
        *((name, pa.float64()) for name in WEATHER),
    ]
)


def events(*rows):
    """rows: (kind, hours after the beginning, further fields)."""
    return pa.RecordBatch.from_pylist(
        [
            {"kind": kind, "event_time": BEGIN_US // 1000 + int(hours * 3_600_000), **fields}
            for kind, hours, fields in rows
        ],
        schema=EVENT,
    )


UA1 = {"carrier": "UA", "origin": "EWR", "dest": "IAH", "flight_number": "UA1-IAH", "plane": "N1"}
DAY = events(
    ("departure", 0.5, {**UA1, "delay": 12.0}),
    ("departure", 0.7, {**UA1, "origin": "JFK", "carrier": "AA", "delay": -3.0}),
    ("weather", 1.0, {"origin": "EWR", "temp": 39.25, "precip": 0.0}),
    ("clock", 1.0, {}),
    ("arrival", 1.9, {**UA1, "delay": 31.0}),
    ("arrival", 2.0, {**UA1, "plane": None, "flight_number": "UA2-IAH", "delay": 2.0}),
    ("clock", 2.0, {}),
    ("clock", 5.0, {}),
)
ROWS = [
    {"carrier": "UA", "origin": "EWR", "dest": "IAH", "route": "EWR-IAH", "flight_number": "UA1-IAH", "plane": "N1"},
    {"carrier": "AA", "origin": "JFK", "dest": "MIA", "route": "JFK-MIA", "flight_number": "AA9-MIA", "plane": "N9"},
    {"carrier": "UA", "origin": "JFK", "dest": "IAH", "route": "JFK-IAH", "flight_number": "UA2-IAH", "plane": "N1"},
]


def columns(rows):
    return {key: pa.array([row[key] for row in rows], pa.string()) for key in KEYS}


def moment(hours):
    return datetime(2013, 1, 1, tzinfo=UTC) + timedelta(hours=hours)


@pytest.fixture
def settings(store_settings):
    return store_settings


@pytest.fixture
def applied(settings):
    """Settings of an applied repository with an empty store, and Feast's own feature store."""
    from weir.edges.features import repository as feature_repository

    feast = feature_repository.apply(settings)
    feature_repository.export(settings)
    yield settings, feast
    store = open_store(settings)
    store.clear()
    store.close()


def update(settings, *batches):
    from weir.demo.features.updater import FeatureUpdater

    updater = FeatureUpdater.of(settings)
    for batch in batches:
        updater.apply(batch)
    updater.close()


def read(settings, rows=ROWS):
    reader = FeatureReader.of(settings, SERVICE)
    block = reader.read(columns(rows), 0)
    names = reader.plan.columns
    reader.close()
    return {name: block.values[:, at].tolist() for at, name in enumerate(names)}, block


def test_the_plan_says_what_the_repository_defines_and_what_the_worker_computes(applied):
    settings, _ = applied
    plan = feature_plan.load(settings, SERVICE)
    assert {view.name: (set(view.join_keys), set(view.features)) for view in plan.views} == {
        name: (set(view.join_keys), set(view.features)) for name, view in VIEWS.items()
    }
    assert [view.name for view in plan.views] == list(VIEWS)
    assert plan.views[0].ttl_s == 2 * 86_400
    assert set(plan.views[0].dtypes) == {"float32"}
    assert os.environ.get("WEIR_ONLINE_STORE") is None


def test_the_columnar_read_equals_get_online_features_by_name(applied):
    from weir.edges.features.comparison import compare

    settings, _ = applied
    update(settings, DAY)
    ours, block = read(settings)
    assert ours["plane_recent__last_arrdelay"][0] == 31.0
    assert np.isnan(ours["origin_weather__wind_gust"][0])  # a null of a record that is there
    assert np.isnan(ours["flight_recent__late_21d"][1])  # nothing is there
    weather = [view.name for view in feature_plan.load(settings, SERVICE).views].index("origin_weather")
    assert block.found[:, weather].tolist() == [True, False, False]
    assert block.event_us[0, weather] == BEGIN_US + HOUR_US  # stale by its ttl when asked for in 2026, and still read
    result = compare(settings, columns(ROWS), SERVICE)
    assert (result.rows, result.values, result.moved, result.differing) == (3, 3 * 19, 0, ())
    assert result.found == block.found.sum()


def test_feast_push_writes_what_the_scorer_reads_and_older_rows_change_nothing(applied):
    import pandas as pd

    settings, feast = applied
    for hours, value in ((3, 9.0), (2, 4.0)):
        feast.push(
            "plane_recent_push",
            pd.DataFrame(
                {
                    "plane": ["N1", "N9"],
                    "last_arrdelay": [value, np.nan if hours == 3 else value],
                    "event_timestamp": [moment(hours)] * 2,
                    "created": [moment(hours)] * 2,
                }
            ),
        )
    ours, block = read(settings)
    assert ours["plane_recent__last_arrdelay"][0] == 9.0
    assert np.isnan(ours["plane_recent__last_arrdelay"][1])
    assert block.event_us[0, 6] == BEGIN_US + 3 * HOUR_US
    pair = {
        "carrier": ["UA"],
        "origin": ["EWR"],
        "depdelay_3h": [1.5],
        "event_timestamp": [moment(1)],
        "created": [moment(1)],
    }
    feast.write_to_online_store("carrier_origin_recent", pd.DataFrame(pair))
    assert read(settings)[0]["carrier_origin_recent__depdelay_3h"][0] == 1.5


def test_materialize_brings_the_same_values_as_the_worker(applied):
    from weir.edges.features.training_frame import write_history

    settings, feast = applied
    hours = [BEGIN_US + hour * HOUR_US for hour in range(1, 6)]
    for view, table in history(pa.Table.from_batches([DAY]), hours).items():
        write_history(settings, view, table)
    feast.materialize(moment(0), moment(6))
    materialized, _ = read(settings)
    store = open_store(settings)
    store.clear()
    store.close()
    update(settings, DAY)
    worked, _ = read(settings)
    np.testing.assert_equal(materialized, worked)


def test_the_canary_finds_a_record_that_the_two_reads_see_differently(applied, tmp_path):
    from weir.agents.canary.agent import look
    from weir.edges.features.comparison import FeatureCanary

    settings, _ = applied
    update(settings, DAY)
    telemetry, canary = Telemetry(), FeatureCanary(settings, SERVICE)
    assert look(canary, settings, telemetry) == 0
    other = load(home=tmp_path / "other")
    shutil.copytree(
        settings.paths.home / "features", other.paths.home / "features", ignore=shutil.ignore_patterns("online")
    )
    update(other, DAY, events(("arrival", 5.5, {**UA1, "delay": 90.0}), ("clock", 6.0, {})))
    canary._reader = FeatureReader.of(other, SERVICE)  # a reader of something else than Feast reads
    result = canary.compare(columns(ROWS))
    assert {(fault.column, fault.what) for fault in result.differing} >= {
        ("plane_recent__last_arrdelay", "value"),
        ("plane_recent__last_arrdelay", "event time"),
    }
    worst = next(fault for fault in result.differing if fault.column == "plane_recent__last_arrdelay")
    assert (worst.keys, worst.ours, worst.feast) == (("N1",), 90.0, 31.0)
    assert look(canary, settings, telemetry) > 0
    assert telemetry.value("weir_canary_mismatches_total", service=SERVICE) > 0
    canary._reader.close()
    canary.close()


def test_the_canary_samples_what_the_store_holds_and_one_row_of_nothing(applied):
    from weir.edges.features.comparison import UNKNOWN, FeatureCanary

    settings, _ = applied
    canary = FeatureCanary(settings, SERVICE)
    assert canary.compare(canary.sample(3)).differing == ()  # an empty store is no difference
    update(settings, DAY)
    sample = canary.sample(4)
    assert set(sample) == set(KEYS)
    assert {len(column) for column in sample.values()} == {5}
    pairs = set(zip(sample["carrier"].to_pylist(), sample["origin"].to_pylist(), strict=True))
    assert pairs == {("UA", "EWR"), ("AA", "JFK"), (UNKNOWN, UNKNOWN)}
    assert set(sample["plane"].to_pylist()) == {"N1", UNKNOWN}
    canary.close()


def test_the_canary_worker_looks_until_it_is_told_to_stop(tmp_path):
    from weir.agents.canary.agent import watch
    from weir.edges.features import repository as feature_repository

    settings = load(home=tmp_path, canary_every_s=60.0)
    with pytest.raises(Refused, match="weir apply"):
        watch(settings, Telemetry(), threading.Event())
    feature_repository.apply(settings)
    feature_repository.export(settings)
    update(settings, DAY)
    telemetry, stop = Telemetry(), threading.Event()
    stop.set()
    watch(settings, telemetry, stop)
    assert telemetry.value("weir_canary_rows_total", service=SERVICE) == settings.features.canary_rows + 1
    assert telemetry.value("weir_canary_mismatches_total", service=SERVICE) == 0


def test_a_comparison_that_fails_is_said_and_counted_and_the_next_one_is_made(applied):
    from weir.agents.canary.agent import look
    from weir.edges.features.comparison import FeatureCanary

    settings, _ = applied
    canary, telemetry = FeatureCanary(settings, SERVICE), Telemetry()
    with capture_logs() as said:
        assert look(canary, settings, telemetry) == 0
    assert "nothing to compare yet" in said[0]["event"]
    update(settings, DAY)
    feast, canary._feast = canary._feast, None
    with capture_logs() as said:
        assert look(canary, settings, telemetry) == 0
    assert [(line["log_level"], line["feature_service"]) for line in said] == [("error", SERVICE)]
    assert telemetry.value("weir_canary_failures_total", service=SERVICE) == 1
    canary._feast = feast
    with capture_logs() as said:
        assert look(canary, settings, telemetry) == 0
    assert said == []
    assert telemetry.value("weir_canary_failures_total", service=SERVICE) == 1
    canary.close()


def test_a_canary_with_nothing_to_compare_is_refused(tmp_path):
    from weir.agents.canary.agent import watch

    words = ViewPlan("words", ("word",), ("meaning",), ("String",), 0.0)
    bytes_key = ViewPlan("hashed", ("hash",), ("n",), ("int64",), 0.0, ("Bytes",))
    settings = load(home=tmp_path)
    feature_plan.save(settings, [ServicePlan("weir", "texts", (words, bytes_key))])
    with pytest.raises(Refused, match="no feature service has anything to compare"):
        watch(settings, Telemetry(), threading.Event())


def test_a_training_row_sees_the_features_of_its_time_and_no_others(tmp_path):
    import pandas as pd
    from weir.edges.features import repository as feature_repository
    from weir.edges.features.training_frame import training_frame, write_history

    settings = load(home=tmp_path)
    feature_repository.apply(settings)
    rows = pd.DataFrame(
        [{**ROWS[0], "event_timestamp": moment(hours)} for hours in (5.5, 1.99, 2.0, 0.99, 24 * 50, 2.0)],
        index=[7, 3, 9, 1, 4, 2],
    )
    rows.loc[9, "plane"] = None
    rows["label"] = [1, 2, 3, 4, 5, 6]
    empty = training_frame(settings, rows, SERVICE)
    assert empty.filter(like="__").isna().all(axis=None)  # histories that apply made, without a row
    hours = [BEGIN_US + hour * HOUR_US for hour in range(1, 6)]
    for view, table in history(pa.Table.from_batches([DAY]), hours).items():
        write_history(settings, view, table)
    frame = training_frame(settings, rows, SERVICE)
    assert frame.index.tolist() == rows.index.tolist()
    assert frame["label"].tolist() == rows["label"].tolist()
    assert frame["plane_recent__last_arrdelay"].fillna(-1).tolist() == [31, -1, -1, -1, -1, 31]
    assert frame["origin_recent__ndep_1h"].fillna(-1).tolist() == [0, 1, 0, -1, -1, 0]
    assert frame["origin_weather__temp"].fillna(-1).tolist() == [39.25, 39.25, 39.25, -1, -1, 39.25]
    with pytest.raises(Refused, match="flight_number"):
        training_frame(settings, rows.drop(columns="flight_number"), SERVICE)
    with pytest.raises(Refused, match="nowhere is not in the registry"):
        training_frame(settings, rows, "nowhere")


def repository(tmp_path, text):
    directory = tmp_path / "repository"
    directory.mkdir(exist_ok=True)
    shutil.copy(ROOT / "feature_repo" / "feature_store.yaml", directory)
    (directory / "definitions.py").write_text(text)
    return load(home=tmp_path / "home", feature_repo_dir=directory)


SMALL = """
from datetime import timedelta
from feast import Entity, FeatureService, FeatureView, Field, FileSource, PushSource, ValueType
from feast.types import Bool, Float32, Float64, Int64, String
user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
def view(name, features):
    source = FileSource(name=name + "_file", path="/nowhere/{name}.parquet", timestamp_field="event_timestamp")
    return FeatureView(name=name, entities=[user], ttl=timedelta(0), source=PushSource(name=name + "_push",
        batch_source=source), schema=[Field(name="user_id", dtype=Int64)] + features)
"""


def test_what_is_no_longer_defined_is_removed_and_its_records_stay(tmp_path):
    import pandas as pd
    from weir.edges.features import repository as feature_repository

    both = (
        SMALL.replace("/nowhere", str(tmp_path))
        + """
first = view("first", [Field(name="n", dtype=Int64), Field(name="vip", dtype=Bool)])
second = view("second", [Field(name="x", dtype=Float32)])
users = FeatureService(name="users", features=[first, second])
"""
    )
    settings = repository(tmp_path, both)
    feast = feature_repository.apply(settings)
    (plan,) = feature_repository.export(settings)
    assert [(view.features, view.dtypes, view.key_types, view.ttl_s) for view in plan.views] == [
        (("n", "vip"), ("int64", "bool"), ("INT64",), 0.0),
        (("x",), ("float32",), ("INT64",), 0.0),
    ]
    assert feature_plan.load_all(settings) == (plan,)
    times = {"user_id": [1, 2], "event_timestamp": [moment(1)] * 2}
    feast.write_to_online_store("first", pd.DataFrame({**times, "n": [2**40, 3], "vip": [True, None]}))
    feast.write_to_online_store("second", pd.DataFrame({**times, "x": [1.5, 2.5]}))
    block = FeatureReader.of(settings, "users").read({"user_id": pa.array([2, 1, 3])}, 0)
    np.testing.assert_array_equal(block.values, np.float32([[3, np.nan, 2.5], [2**40, 1, 1.5], [np.nan] * 3]))
    settings = repository(
        tmp_path,
        both.replace("second = ", "gone = ").replace("gone = view", "second = None and view").replace(", second]", "]"),
    )
    feature_repository.apply(settings)
    (smaller,) = feature_repository.export(settings)
    assert [view.name for view in smaller.views] == ["first"]
    assert smaller.fingerprint != plan.fingerprint
    reader = FeatureReader(
        ServicePlan("weir", "users", plan.views),
        open_store(settings),
        max_keys=9,
        ttl_us=1,
        revalidate_on_watermark=False,
    )
    assert reader.read({"user_id": pa.array([1])}, 0).values.tolist() == [[2**40, 1, 1.5]]  # a scorer that runs goes on
    reader.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nowhere_to_be_found", "ModuleNotFoundError"),
        (
            SMALL + 'words = view("a__b", [Field(name="w", dtype=String)])',
            "name a__b has two underscores",
        ),
        (
            SMALL + 'words = view("a:b", [Field(name="w", dtype=String)])',
            "name a:b has characters",
        ),
        (
            SMALL + 'words = view("a" * 300, [Field(name="w", dtype=String)])',
            "more than 200 bytes",
        ),
        (
            SMALL + 'a = view("a", [Field(name="x", dtype=Float32)])\nusers = FeatureService(name="users", '
            'features=[a.with_name("b")])',
            "another name",
        ),
        ("", "no feature service"),
    ],
)
def test_a_repository_that_cannot_be_served_is_refused_by_name(tmp_path, text, message):
    settings = repository(tmp_path, text.replace("/nowhere", str(tmp_path)))
    with pytest.raises(Refused, match=message):
        apply_and_export(settings)


def apply_and_export(settings):
    from weir.edges.features import repository as feature_repository

    feature_repository.apply(settings)
    feature_repository.export(settings)


def test_a_repository_that_is_not_there_or_was_never_applied_is_refused(tmp_path):
    from weir.edges.features import repository as feature_repository

    with pytest.raises(Refused, match="WEIR_FEATURE_REPO_DIR"):
        feature_repository.apply(load(home=tmp_path, feature_repo_dir=tmp_path))
    with pytest.raises(Refused, match="weir apply"):
        feature_plan.load(load(home=tmp_path), SERVICE)
    feature_plan.save(load(home=tmp_path), [ServicePlan("weir", "other", ())])
    with pytest.raises(Refused, match="flight_delay_v1 is not among other"):
        feature_plan.load(load(home=tmp_path), SERVICE)


def test_a_store_of_its_own_keeps_feast_from_importing_every_other_store(tmp_path):
    from weir.edges.features.feast_online_store import PackedOnlineStore

    assert PackedOnlineStore._versioned_read_supported is False
    assert isinstance(open_store(load(home=tmp_path)), LmdbStore)


ACCOUNTS = """
SPEND = [Field(name="n", dtype=Int64), Field(name="spend", dtype=Float32), Field(name="note", dtype=String)]
accounts = view("accounts", SPEND)
others = view("others", [Field(name="x", dtype=Float32)])
users = FeatureService(name="users", features=[accounts[["spend", "note"]], others])
"""
LATER_US = 10**12  # nothing kept is fresh any more
MORE = 'SPEND + [Field(name="added", dtype=Float32), Field(name="aaa", dtype=String)]'
READ = Signature(
    inputs=(Input(name="spend", source=Source.FEATURE, ref="accounts__spend", on_missing=Policy.USE),),
    join_keys=(JoinKey(name="user_id", dtype="INT64"),),
)


def test_a_feature_more_in_a_view_changes_nothing_for_the_bundles_that_serve(tmp_path):
    import pandas as pd
    from weir.edges.features import repository as feature_repository

    old, users = SMALL.replace("/nowhere", str(tmp_path)) + ACCOUNTS, {"user_id": pa.array([1, 2])}
    new = old.replace('view("accounts", SPEND)', f'view("accounts", {MORE})')
    settings = repository(tmp_path, old)
    feast = feature_repository.apply(settings)
    (plan,) = feature_repository.export(settings)
    assert plan.columns == ("accounts__note", "accounts__spend", "others__x")  # the projection, not the view
    assert feature_plan.load_views(settings)["accounts"].features == ("n", "note", "spend")
    fingerprint = plan.reading(READ.looked_up).fingerprint
    bundle = tiny_bundle(tmp_path, READ, feature_service="users", feature_fingerprint=fingerprint)
    rows = {"n": [1, 2], "spend": [1.5, 2.5], "note": ["a", None]}
    feast.write_to_online_store(
        "accounts", pd.DataFrame({"user_id": [1, 2], "event_timestamp": [moment(1)] * 2, **rows})
    )
    running = FeatureReader.of(settings, "users", READ.looked_up)
    assert running.read(users, 0).values.tolist() == [[1.5], [2.5]]

    settings = repository(tmp_path, new)
    feast = feature_repository.apply(settings)
    (newer,) = feature_repository.export(settings)
    assert opened_bundle(bundle, newer)  # a restart, or a roll-back
    row = {"user_id": [1], "event_timestamp": [moment(2)], "n": [9], "spend": [9.5], "note": ["b"]}
    feast.write_to_online_store("accounts", pd.DataFrame({**row, "added": [7.0], "aaa": ["z"]}))
    block = running.read(users, LATER_US)
    assert (block.values.tolist(), block.found.all(), block.incomplete) == ([[9.5], [2.5]], True, 0)
    assert FeatureReader.of(settings, "users", READ.looked_up).read(users, 0).values.tolist() == [[9.5], [2.5]]
    got = feast.get_online_features(
        features=["accounts:spend", "accounts:added", "accounts:note"], entity_rows=[{"user_id": 1}, {"user_id": 2}]
    ).to_dict()
    assert (got["spend"], got["added"], got["note"]) == ([9.5, 2.5], [7.0, None], ["b", None])

    settings = repository(tmp_path, old)
    feast = feature_repository.apply(settings)
    (older,) = feature_repository.export(settings)
    assert opened_bundle(bundle, older)
    assert running.read(users, 2 * LATER_US).values.tolist() == [[9.5], [2.5]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("timedelta(0)", "timedelta(days=1)"),
        ('Field(name="spend", dtype=Float32)', 'Field(name="spend", dtype=Float64)'),
    ],
)
def test_what_a_bundle_reads_may_not_change(tmp_path, change, message):
    from weir.edges.features import repository as feature_repository

    text = SMALL.replace("/nowhere", str(tmp_path)) + ACCOUNTS
    settings = repository(tmp_path, text)
    feature_repository.apply(settings)
    (plan,) = feature_repository.export(settings)
    fingerprint = plan.reading(READ.looked_up).fingerprint
    bundle = tiny_bundle(tmp_path, READ, feature_service="users", feature_fingerprint=fingerprint)
    settings = repository(tmp_path, text.replace(change, message))
    feature_repository.apply(settings)
    with pytest.raises(Refused, match="has changed since it was trained"):
        opened_bundle(bundle, feature_repository.export(settings)[0])


def test_a_file_changed_within_the_same_second_is_read_anew_and_leaves_no_bytecode(tmp_path, monkeypatch):
    from weir.edges.features import repository as feature_repository

    monkeypatch.setattr(sys, "dont_write_bytecode", False)

    text = SMALL.replace("/nowhere", str(tmp_path)) + ACCOUNTS
    settings = repository(tmp_path, text)
    file = settings.paths.feature_repo_dir / "definitions.py"
    written = file.stat()
    feature_repository.apply(settings)
    before = feature_repository.export(settings)
    file.write_text(text.replace('"spend", dtype=Float32', '"spend", dtype=Float64'))
    os.utime(file, ns=(written.st_atime_ns, written.st_mtime_ns))
    feature_repository.apply(settings)
    assert feature_repository.export(settings) != before
    assert not list(settings.paths.feature_repo_dir.rglob("*.pyc"))
