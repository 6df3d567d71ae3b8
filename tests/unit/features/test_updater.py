import numpy as np
import pyarrow as pa
import pytest
from structlog.testing import capture_logs
from weir.core.errors import Refused
from weir.core.features import ViewPlan
from weir.demo.features.updater import FeatureUpdater
from weir.demo.rolling.history import history
from weir.demo.rolling.state import HOUR_US, VIEWS, WEATHER
from weir.edges.features.store.entity_key import decode_key, encode_key
from weir.edges.features.store.lmdb import LmdbStore
from weir.edges.features.store.record_store import Ask

PLANS = {
    name: ViewPlan(
        name, tuple(sorted(view.join_keys)), tuple(sorted(view.features)), ("float32",) * len(view.features), 60.0
    )
    for name, view in VIEWS.items()
}
SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("event_time", pa.timestamp("ms")),
        ("carrier", pa.string()),
        ("origin", pa.string()),
        ("dest", pa.string()),
        ("flight_number", pa.string()),
        ("plane", pa.string()),
        ("delay", pa.float64()),
        *((name, pa.float64()) for name in WEATHER),
    ]
)
HOURS = 40


@pytest.fixture
def store(tmp_path):
    opened = LmdbStore(tmp_path, "weir")
    yield opened
    opened.close()


def day(late=False):
    """Some hours of flights and weather with a clock record after each hour, in log order."""
    rng = np.random.default_rng(5)
    rows = []
    for hour in range(1, HOURS + 1):
        for _ in range(rng.integers(0, 6)):
            minute = (hour - rng.random() - (2 if late and rng.random() < 0.3 else 0)) * 60
            rows.append(
                {
                    "kind": str(rng.choice(["departure", "arrival"])),
                    "event_time": int(max(minute, 0) * 60_000),
                    "carrier": f"C{rng.integers(3)}",
                    "origin": f"O{rng.integers(2)}",
                    "dest": f"D{rng.integers(3)}",
                    "flight_number": f"F{rng.integers(9)}",
                    "delay": float(rng.integers(-20, 90)),
                    "plane": None if rng.random() < 0.2 else f"P{rng.integers(5)}",
                }
            )
        rows.append({"kind": "weather", "event_time": hour * 3_600_000, "origin": "O0", "temp": float(hour)})
        rows.append({"kind": "clock", "event_time": hour * 3_600_000})
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def content(store):
    """Everything in the store: (view, key) -> (event time, values by name)."""
    out = {}
    for view in PLANS.values():
        keys = sorted(set(store.sample_keys(view, 10_000)))
        (answer,), _ = store.read_many([Ask(view, keys)])
        assert answer.found.all()
        for key, event_us, values in zip(keys, answer.event_us.tolist(), answer.values, strict=True):
            entity = dict(zip(view.join_keys, decode_key(view, key), strict=True))
            named = dict(zip(view.features, values.astype(str).tolist(), strict=True))
            out[view.name, tuple(sorted(entity.items()))] = (event_us, named)
    return out


def from_history(rows):
    """The newest row of each entity as training would see it."""
    tables = history(pa.Table.from_batches([rows]), [hour * HOUR_US for hour in range(1, HOURS + 1)])
    out = {}
    for name, table in tables.items():
        for row in table.to_pylist():
            entity = tuple(sorted((key, row[key]) for key in VIEWS[name].join_keys))
            values = {
                feature: str(np.float32(np.nan if row[feature] is None else row[feature]))
                for feature in VIEWS[name].features
            }
            out[name, entity] = (int(row["event_timestamp"].timestamp() * 1e6), values)
    return out


@pytest.mark.parametrize("size", [1, 7, 33, 10_000])
def test_the_store_ends_as_the_training_history_does_however_the_log_was_cut(store, size):
    rows, updater = day(), FeatureUpdater(store, PLANS)
    for begin in range(0, rows.num_rows, size):
        updater.apply(rows.slice(begin, size))
    assert store.watermark_us() == HOURS * HOUR_US
    assert content(store) == from_history(rows)


@pytest.mark.parametrize("size", [5, 10_000])
def test_events_that_come_after_their_clock_count_the_same_however_the_log_was_cut(tmp_path, size):
    rows, stores = day(late=True), []
    for number, step in enumerate((1, size)):
        store = LmdbStore(tmp_path / str(number), "weir")
        updater = FeatureUpdater(store, PLANS)
        for begin in range(0, rows.num_rows, step):
            updater.apply(rows.slice(begin, step))
        stores.append(content(store))
        store.close()
    assert stores[0] == stores[1]


def test_a_restarted_worker_writes_nothing_until_it_has_caught_up_and_then_goes_on(store, tmp_path):
    rows = day()
    half = rows.num_rows // 2
    FeatureUpdater(store, PLANS).apply(rows.slice(0, half))
    before = content(store)
    again = FeatureUpdater(store, PLANS)
    caught_up = again.apply(rows.slice(0, half))
    assert (dict(caught_up.records), caught_up.watermark_us) == ({}, store.watermark_us())
    assert content(store) == before
    applied = again.apply(rows.slice(half))
    assert sum(applied.records.values()) > 0
    whole = LmdbStore(tmp_path / "whole", "weir")
    FeatureUpdater(whole, PLANS).apply(rows)
    assert content(store) == content(whole)
    whole.close()


def test_events_of_another_log_are_written_from_their_beginning_and_newer_records_stay(store):
    FeatureUpdater(store, PLANS, "one").apply(day())
    one = content(store)
    rows = [
        {"kind": "arrival", "event_time": 3_600_000, "carrier": "NEW", "dest": "D0", "origin": "O0", "delay": 60.0},
        {"kind": "weather", "event_time": 3_600_000, "origin": "O9", "temp": 1.5},
        {"kind": "clock", "event_time": 2 * 3_600_000},
    ]
    rows = pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
    with capture_logs() as said:
        again = FeatureUpdater(store, PLANS, "two")
    assert [(line["log_level"], line["upto"]) for line in said] == [("warning", "1970-01-02T16:00:00+00:00")]
    applied = again.apply(rows)
    both = content(store)
    assert applied.records["origin_weather"] == 1
    assert both["origin_weather", (("origin", "O9"),)][0] == HOUR_US
    assert both["carrier_recent", (("carrier", "NEW"),)][0] == 2 * HOUR_US
    assert {place: record for place, record in both.items() if place in one} == one  # all of them are newer
    assert (applied.watermark_us, store.applied_us("two")) == (HOURS * HOUR_US, 2 * HOUR_US)
    restarted = FeatureUpdater(store, PLANS, "two").apply(rows)
    assert dict(restarted.records) == {}


def test_without_a_clock_record_nothing_is_written(store):
    rows = day()
    events = rows.filter(pa.compute.not_equal(rows.column("kind"), "clock"))
    applied = FeatureUpdater(store, PLANS).apply(events)
    assert (dict(applied.records), applied.watermark_us, store.watermark_us()) == ({}, 0, 0)


def test_a_clock_that_comes_again_or_goes_back_changes_nothing(store):
    updater = FeatureUpdater(store, PLANS)
    updater.apply(day())
    before = content(store)
    clocks = [{"kind": "clock", "event_time": hour * 3_600_000} for hour in (HOURS, 3)]
    assert dict(updater.apply(pa.RecordBatch.from_pylist(clocks, schema=SCHEMA)).records) == {}
    assert content(store) == before


def test_the_report_counts_records_by_view(store):
    applied = FeatureUpdater(store, PLANS).apply(day())
    assert applied.records["origin_weather"] == 1
    assert applied.records["origin_recent"] == 2
    assert applied.watermark_us == HOURS * HOUR_US
    (answer,), _ = store.read_many([Ask(PLANS["origin_weather"], [encode_key(("O0",))])])
    assert answer.found.tolist() == [True]


@pytest.mark.parametrize(
    ("view", "plan"),
    [
        ("dest_recent", None),
        ("dest_recent", ViewPlan("dest_recent", ("origin",), ("arrdelay_6h",), ("float32",), 1.0)),
        ("dest_recent", ViewPlan("dest_recent", ("dest",), ("arrdelay_6h", "more"), ("float32",) * 2, 1.0)),
        ("dest_recent", ViewPlan("dest_recent", ("dest",), ("arrdelay_6h",), ("int64",), 1.0)),
    ],
)
def test_a_view_that_is_not_applied_as_it_is_computed_is_refused_by_name(store, view, plan):
    plans = {name: value for name, value in {**PLANS, view: plan}.items() if value is not None}
    with pytest.raises(Refused, match=r"dest_recent.*\(dest\): arrdelay_6h"):
        FeatureUpdater(store, plans)
