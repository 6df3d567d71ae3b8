"""What every record store promises; run against LMDB and against a real Redis server."""

from __future__ import annotations

import multiprocessing

import numpy as np
import pytest
from structlog.testing import capture_logs
from weir.core.errors import Refused, Unavailable
from weir.core.features import ViewPlan
from weir.edges.features.store.entity_key import decode_key, encode_key
from weir.edges.features.store.open import open_store
from weir.edges.features.store.record_layout import Layout, layout_of
from weir.edges.features.store.record_store import Ask, Row, Write
from weir.settings import load

from tests.ports import free_port
from tests.waiting import WAIT_S

CARRIERS = ViewPlan("carriers", ("carrier",), ("delay", "late"), ("float32", "float32"), 60.0)
ROUTES = ViewPlan("routes", ("dest", "origin"), ("n", "open", "delay"), ("int64", "bool", "float32"), 60.0)
HOUR_US = 3_600_000_000


@pytest.fixture
def settings(store_settings):
    return store_settings


@pytest.fixture
def store(settings):
    opened = open_store(settings, "weir")
    yield opened
    opened.clear()
    opened.close()


def carriers(*rows):
    """rows: (carrier, delay, event time in hours)."""
    values = np.array([[delay, delay / 10] for _, delay, _ in rows], np.float32)
    event_us = np.array([int(hours * HOUR_US) for *_, hours in rows])
    keys = [encode_key((name,)) for name, *_ in rows]
    return Write(CARRIERS, keys, layout_of(CARRIERS).pack_floats(values, event_us))


def delays(store, *names):
    (answer,), _ = store.read_many([Ask(CARRIERS, [encode_key((name,)) for name in names])])
    return [float(row[0]) if found else None for row, found in zip(answer.values, answer.found, strict=True)]


def test_an_empty_store_finds_nothing_and_has_no_watermark(store):
    assert delays(store, "UA", "AA") == [None, None]
    assert store.watermark_us() == 0
    assert store.read_many([]) == ([], 0)


def test_what_was_written_is_read_back_in_the_order_asked(store):
    assert store.write_many([carriers(("UA", 5, 1), ("AA", 7, 1))], 2 * HOUR_US) == 2
    assert delays(store, "AA", "never", "UA", "AA") == [7, None, 5, 7]
    answers, watermark = store.read_many([Ask(CARRIERS, [b"sUA"]), Ask(ROUTES, [b"x"]), Ask(CARRIERS, [])])
    assert watermark == 2 * HOUR_US == store.watermark_us()
    assert answers[0].event_us.tolist() == [HOUR_US]
    assert [answer.found.tolist() for answer in answers] == [[True], [False], []]


def test_integers_booleans_and_nulls_come_back_as_they_were(store):
    layout = layout_of(ROUTES)
    columns = {"n": np.array([2**40, 0]), "open": np.array([True, False]), "delay": np.array([1.5, 0], np.float32)}
    nulls = np.array([[False, False, False], [True, True, True]])
    keys = [encode_key(("IAH", "EWR")), encode_key(("EWR", "IAH"))]
    store.write_many([Write(ROUTES, keys, layout.pack(columns, np.array([1, 2]), nulls))])
    (answer,), _ = store.read_many([Ask(ROUTES, keys)])
    np.testing.assert_array_equal(answer.values, np.float32([[2**40, 1, 1.5], [np.nan] * 3]))
    first, second, none = store.read_rows("routes", [*keys, b"never"])
    assert first == Row(1, {"n": ("int64", 2**40), "open": ("bool", True), "delay": ("float32", 1.5)})
    assert {value for _, value in second.values.values()} == {None}
    assert none is None


def test_an_older_event_never_takes_the_place_of_a_newer_one_and_equal_times_are_replaced(store):
    assert store.write_many([carriers(("UA", 5, 2), ("AA", 1, 2))]) == 2
    assert store.write_many([carriers(("UA", 9, 1), ("AA", 3, 2), ("DL", 4, 1))]) == 2
    assert delays(store, "UA", "AA", "DL") == [5, 3, 4]


def test_of_a_key_that_comes_twice_in_a_write_the_newest_stays(store):
    store.write_many([carriers(("UA", 1, 3), ("UA", 2, 1), ("AA", 3, 1), ("AA", 4, 1))])
    assert delays(store, "UA", "AA") == [1, 4]
    store.write_many([carriers(("UA", 5, 4)), carriers(("UA", 6, 3.5))])
    assert delays(store, "UA") == [5]


def test_the_watermark_never_moves_back(store):
    store.write_many([], 5 * HOUR_US)
    store.write_many([carriers(("UA", 1, 1))], 4 * HOUR_US)
    assert store.watermark_us() == 5 * HOUR_US


WIDER = ViewPlan("carriers", ("carrier",), ("delay", "late", "seen"), ("float32", "float32", "int64"), 60.0)
TURNED = ViewPlan("carriers", ("carrier",), ("late", "delay"), ("float64", "float64"), 60.0)


def record(view, name, hours, **values):
    columns = {feature: np.array([values[feature]]) for feature in view.features}
    return Write(view, [encode_key((name,))], layout_of(view).pack(columns, np.array([int(hours * HOUR_US)])))


@pytest.mark.parametrize("version", [WIDER, TURNED])
def test_a_record_of_another_version_of_its_view_is_read_by_name(store, settings, version):
    store.write_many([carriers(("UA", 5, 1), ("AA", 6, 1))])
    assert delays(store, "UA") == [5]
    other = open_store(settings, "weir")  # a worker with other definitions
    other.write_many([record(version, "UA", 2, delay=7.0, late=1.5, seen=3)])
    other.close()
    (answer,), _ = store.read_many([Ask(CARRIERS, [b"sAA", b"sUA", b"sDL"])])
    np.testing.assert_array_equal(answer.values, np.float32([[6, 0.6], [7, 1.5], [np.nan, np.nan]]))
    assert (answer.found.tolist(), answer.event_us.tolist()) == ([True, True, False], [HOUR_US, 2 * HOUR_US, 0])
    assert answer.incomplete == 0


def test_a_feature_that_a_record_lacks_is_missing_in_it_and_the_others_are_not(store):
    store.write_many([carriers(("UA", 5, 1))])
    with capture_logs() as said:
        for _ in range(3):
            (answer,), _ = store.read_many([Ask(WIDER, [b"sUA", b"sDL"])])
    np.testing.assert_array_equal(answer.values, np.float32([[5, 0.5, np.nan], [np.nan] * 3]))
    assert (answer.found.tolist(), answer.incomplete) == ([True, False], 1)
    assert [line["features"] for line in said] == [["seen"]]  # one line, however often it is read


def test_versions_of_a_view_make_no_difference_to_which_event_is_newer(store):
    store.write_many([record(WIDER, "UA", 3, delay=7.0, late=1.5, seen=3)])
    assert store.write_many([carriers(("UA", 5, 2))]) == 0
    assert delays(store, "UA") == [7]
    assert store.write_many([carriers(("UA", 5, 3))]) == 1
    assert delays(store, "UA") == [5]


def test_a_record_whose_layout_nobody_described_is_not_found_and_said_once(store, settings):
    layout = Layout(("delay",), ("float32",))
    store.write_many([carriers(("UA", 5, 1), ("AA", 6, 1))])
    strange = Write(CARRIERS, [b"sUA"], layout.pack_floats(np.float32([[9]]), np.array([2 * HOUR_US])))
    with pytest.raises(ValueError, match="not in its layout"):
        store.write_many([strange])
    put_raw(store, b"sUA", strange.records.raw[0])
    with capture_logs() as said:
        for _ in range(3):
            (answer,), _ = store.read_many([Ask(CARRIERS, [b"sUA", b"sAA"])])
            assert (answer.found.tolist(), answer.incomplete) == ([False, True], 1)
    assert [(line["view"], line["log_level"]) for line in said] == [("carriers", "warning")]
    assert store.read_rows("carriers", [b"sUA"]) == [None]


@pytest.mark.parametrize("raw", [b"", b"x", bytes(12), bytes(300)])
def test_a_value_that_is_no_record_is_not_found(store, raw):
    store.write_many([carriers(("UA", 5, 1), ("AA", 6, 1))])
    layout = layout_of(CARRIERS)
    for value in (raw, layout.id.to_bytes(4, "little") + raw):
        put_raw(store, b"sUA", value)
        assert delays(store, "UA", "AA") == [None, 6]
        assert store.read_rows("carriers", [b"sUA"]) == [None]


def put_raw(store, key, value):
    """A value that no writer of Weir's would write."""
    stored = store._keys("carriers", [key])[0]
    if hasattr(store, "_env"):
        with store._env.begin(write=True) as txn:
            txn.put(stored, value)
    else:
        store._client.set(stored, value)


TEXTS = ViewPlan("texts", ("id",), ("n", "note", "tags"), ("int32", "String", "Array(String)"), 0.0)


def test_what_is_no_number_is_kept_as_bytes_beside_the_numbers(store):
    columns = {"n": np.array([1, 2, 3]), "note": [b"one", b"", b"three"], "tags": [b"", b"\0x", b"y" * 1000]}
    nulls = np.array([[False, False, True], [True, True, False], [False, False, False]])
    keys = [encode_key((i,)) for i in range(3)]
    store.write_many([Write(TEXTS, keys, layout_of(TEXTS).pack(columns, np.array([1, 2, 3]), nulls))])
    rows = store.read_rows("texts", keys)
    assert [{name: value for name, (_, value) in row.values.items()} for row in rows] == [
        {"n": 1, "note": b"one", "tags": None},
        {"n": None, "note": None, "tags": b"\0x"},
        {"n": 3, "note": b"three", "tags": b"y" * 1000},
    ]
    (answer,), _ = store.read_many([Ask(TEXTS.only(["n"]), keys)])
    np.testing.assert_array_equal(answer.values, np.float32([[1], [np.nan], [3]]))
    assert answer.event_us.tolist() == [1, 2, 3]
    (answer,), _ = store.read_many([Ask(TEXTS.only(["note"]), keys)])
    assert np.isnan(answer.values).all(), "no word has a code"
    (answer,), _ = store.read_many([Ask(TEXTS.only(["note", "n"]), keys, {"note": {b"three": 7.0}})])
    np.testing.assert_array_equal(answer.values, np.float32([[np.nan, 1], [np.nan, np.nan], [7, 3]]))
    assert answer.incomplete == 0


PARTS = [1.2, 1.5, -0.0, float("inf"), b"", b"s1", b"\xff\0", "1", "", "s", 1, -7, 2**63 - 1, True, False, b"#" * 600]


def test_keys_of_every_type_are_told_apart_and_come_back(store):
    keys = [encode_key((part,)) for part in PARTS] + [encode_key((one, 1)) for one in PARTS]
    assert len(set(keys)) == len(keys)
    one, two = ViewPlan("v", ("a",), ("x",), ("int64",), 0.0), ViewPlan("v", ("a", "b"), ("x",), ("int64",), 0.0)
    for part in PARTS:
        assert decode_key(one, encode_key((part,))) == (part,)
        assert decode_key(two, encode_key((part, "é"))) == (part, "é")
    store.write_many([Write(one, keys, layout_of(one).pack({"x": np.arange(len(keys))}, np.ones(len(keys), np.int64)))])
    (answer,), _ = store.read_many([Ask(one, keys)])
    assert answer.values[:, 0].tolist() == list(range(len(keys)))


def test_each_log_has_a_mark_of_its_own_beside_the_watermark(store):
    store.write_many([carriers(("UA", 1, 1))], 5 * HOUR_US, "one")
    store.write_many([carriers(("UA", 1, 1))], 3 * HOUR_US, "two")
    assert [store.applied_us(log) for log in ("one", "two", "three")] == [5 * HOUR_US, 3 * HOUR_US, 0]
    assert store.watermark_us() == 5 * HOUR_US


def test_keys_of_any_length_and_content_are_told_apart(store):
    names = ["", "a" * 2000, "a" * 1999 + "b", "é\0*?[x]", "UA"]
    store.write_many([carriers(*((name, i, 1) for i, name in enumerate(names)))])
    assert delays(store, *names) == [0, 1, 2, 3, 4]
    number = Write(CARRIERS, [encode_key((7,))], carriers(("x", 8, 1)).records)
    store.write_many([number])
    assert delays(store, "7") == [None]


def test_sampling_walks_through_all_keys_of_a_view(store):
    store.write_many([carriers(*((f"C{i}", i, 1) for i in range(25))), carriers(("long" * 300, 1, 1))])
    seen = set()
    for _ in range(40):
        keys = store.sample_keys(CARRIERS, 10)
        assert keys
        seen.update(decode_key(CARRIERS, key) for key in keys)
    assert seen == {(f"C{i}",) for i in range(25)} | {None}
    assert store.sample_keys(ROUTES, 10) == []


def test_deleting_leaves_the_other_views_alone(store, settings):
    layout = layout_of(ROUTES)
    rows = {"n": np.array([1]), "open": np.array([True]), "delay": np.array([2.0])}
    routes = Write(ROUTES, [b"k"], layout.pack(rows, np.array([1])))
    store.write_many([carriers(("UA", 1, 1), ("AA", 2, 1)), routes], 7)
    store.delete("carriers", [b"sUA"])
    assert delays(store, "UA", "AA") == [None, 2]
    store.delete("carriers")
    assert delays(store, "AA") == [None]
    assert store.read_many([Ask(ROUTES, [b"k"])])[0][0].found.tolist() == [True]
    other = open_store(settings, "weir2")
    other.write_many([carriers(("UA", 8, 1))], 9)
    store.clear()
    assert store.watermark_us() == 0
    assert store.read_many([Ask(ROUTES, [b"k"])])[0][0].found.tolist() == [False]
    assert (delays(other, "UA"), other.watermark_us()) == ([8], 9)
    other.clear()
    other.close()


def test_thousands_of_keys_in_one_call(store):
    rows = [(f"K{i}", i, 1) for i in range(5000)]
    assert store.write_many([carriers(*rows)], HOUR_US) == 5000
    assert delays(store, *(name for name, *_ in rows)) == [delay for _, delay, _ in rows]


def test_records_in_a_foreign_layout_are_refused_before_anything_is_written(store):
    wrong = Write(ROUTES, [b"k"], carriers(("UA", 1, 1)).records)
    with pytest.raises(ValueError, match="routes"):
        store.write_many([carriers(("UA", 1, 1)), wrong])
    assert delays(store, "UA") == [None]


def _write_elsewhere(settings):
    for hours in (3, 2):
        opened = open_store(settings, "weir")
        opened.write_many([carriers(("UA", hours, hours))], hours * HOUR_US)
        opened.close()


def test_another_process_writes_and_this_one_sees_it_at_once(store, settings):
    assert delays(store, "UA") == [None]
    process = multiprocessing.get_context("spawn").Process(target=_write_elsewhere, args=(settings,))
    process.start()
    process.join(WAIT_S)
    assert process.exitcode == 0
    assert delays(store, "UA") == [3]
    assert store.watermark_us() == 3 * HOUR_US


def test_two_stores_of_one_process_share_what_is_there(store, settings):
    second = open_store(settings, "weir")
    second.write_many([carriers(("UA", 6, 1))], 1)
    second.close()
    assert delays(store, "UA") == [6]


def test_a_store_that_cannot_be_reached_is_one_clear_error(tmp_path):
    (tmp_path / "features").write_text("a file where a directory must be")
    with pytest.raises(Unavailable, match="WEIR_HOME"):
        open_store(load(home=tmp_path))
    port = free_port()
    with pytest.raises(Unavailable, match=f"127.0.0.1:{port}") as raised:
        open_store(load(home=tmp_path, online_store=f"redis://user:secret@127.0.0.1:{port}/0"))
    assert "secret" not in str(raised.value)
    with pytest.raises(Refused, match="WEIR_ONLINE_STORE"):
        open_store(load(home=tmp_path, online_store="cassandra"))


def test_a_replays_clock_is_seen_by_everyone(store, settings):
    other = open_store(settings, "weir")
    assert store.clock_us() == 0
    store.set_clock_us(7 * HOUR_US)
    assert other.clock_us() == 7 * HOUR_US
    store.set_clock_us(3 * HOUR_US)  # another replay begins
    assert other.clock_us() == 3 * HOUR_US
    store.clear()
    assert store.clock_us() == 0
    other.close()


def test_only_records_are_counted(store):
    if store.count() is None:
        pytest.skip("dear in this store")
    assert store.count() == 0
    store.write_many([carriers(("UA", 1, 1), ("AA", 2, 1))], HOUR_US)
    store.set_clock_us(1)
    assert store.count() == 2
