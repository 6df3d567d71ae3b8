"""What every record store promises; run against LMDB and against a real Redis server."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace

import numpy as np
import pytest
from weir.core.errors import Refused, Unavailable
from weir.core.features import ViewPlan
from weir.edges.features.store.open import open_store
from weir.edges.features.store.record_layout import decode_key, encode_key, layout_of
from weir.edges.features.store.record_store import Ask, Write
from weir.settings import load

from tests.ports import free_port

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
    matrix = layout_of(CARRIERS).matrix(answer.records)
    return [float(row[0]) if found else None for row, found in zip(matrix, answer.found, strict=True)]


def test_an_empty_store_finds_nothing_and_has_no_watermark(store):
    assert delays(store, "UA", "AA") == [None, None]
    assert store.watermark_us() == 0
    assert store.read_many([]) == ([], 0)


def test_what_was_written_is_read_back_in_the_order_asked(store):
    assert store.write_many([carriers(("UA", 5, 1), ("AA", 7, 1))], 2 * HOUR_US) == 2
    assert delays(store, "AA", "never", "UA", "AA") == [7, None, 5, 7]
    answers, watermark = store.read_many([Ask(CARRIERS, [b"sUA"]), Ask(ROUTES, [b"x"]), Ask(CARRIERS, [])])
    assert watermark == 2 * HOUR_US == store.watermark_us()
    assert answers[0].records["event_us"].tolist() == [HOUR_US]
    assert [answer.found.tolist() for answer in answers] == [[True], [False], []]


def test_integers_booleans_and_nulls_come_back_as_they_were(store):
    layout = layout_of(ROUTES)
    columns = {"n": np.array([2**40, 0]), "open": np.array([True, False]), "delay": np.array([1.5, 0], np.float32)}
    nulls = np.array([[False, False, False], [True, True, True]])
    keys = [encode_key(("IAH", "EWR")), encode_key(("EWR", "IAH"))]
    store.write_many([Write(ROUTES, keys, layout.pack(columns, np.array([1, 2]), nulls))])
    (answer,), _ = store.read_many([Ask(ROUTES, keys)])
    assert answer.records["f0"].tolist() == [2**40, 0]
    np.testing.assert_array_equal(layout.matrix(answer.records), np.float32([[2**40, 1, 1.5], [np.nan] * 3]))


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


def test_a_record_of_another_definition_reads_as_not_found_and_is_replaced(store):
    other = replace(CARRIERS, features=("late", "delay"))
    wider = replace(CARRIERS, features=("delay", "late", "n"), dtypes=("float32",) * 3)
    for version in (other, wider):
        values = np.zeros((1, len(version.features)), np.float32)
        store.write_many([Write(version, [b"sUA"], layout_of(version).pack_floats(values, np.array([9 * HOUR_US])))])
        assert delays(store, "UA") == [None]
    assert store.write_many([carriers(("UA", 3, 1))]) == 1
    assert delays(store, "UA") == [3]


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


def _write_elsewhere(settings, hours):
    opened = open_store(settings, "weir")
    opened.write_many([carriers(("UA", hours, hours))], hours * HOUR_US)
    opened.close()


def test_another_process_writes_and_this_one_sees_it_at_once(store, settings):
    assert delays(store, "UA") == [None]
    for hours in (3, 2):
        process = multiprocessing.get_context("spawn").Process(target=_write_elsewhere, args=(settings, hours))
        process.start()
        process.join(60)
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
