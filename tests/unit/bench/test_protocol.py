"""The arithmetic of the bench, and which runs it refuses."""

import math

import numpy as np
import pytest

from tests.bench import machine, report
from tests.bench.protocol import (
    BROKERS,
    FULL,
    QUICK,
    VERSION,
    Judge,
    agreement,
    finite,
    median,
    percentiles,
    slope_per_minute,
    window,
)


def test_a_percentile_is_a_value_that_was_measured():
    values = np.random.default_rng(3).exponential(5.0, 10_000)
    found = percentiles(values)
    ordered = np.sort(values)
    assert found == {"p50": ordered[4_999], "p99": ordered[9_899], "p99.9": ordered[9_989]}
    assert all(math.isnan(value) for value in percentiles(np.empty(0)).values())


def test_a_window_begins_behind_the_batch_that_holds_its_first_row():
    times = np.repeat([100, 110, 120, 130, 140], 20)  # a batch of 20 each 10 ms: 2,000 a second
    found = window(times, 0.1, 0.9)
    assert (found.rows, found.begin_ms, found.end_ms) == (80, 100, 140)
    assert found.per_s == 2000.0


def test_what_came_while_the_generator_still_wrote_is_not_counted():
    times = np.repeat([100, 110, 120, 130, 140], 20)
    assert window(times, not_before_ms=115.0).rows == 60
    with pytest.raises(ValueError, match="too few"):
        window(times, not_before_ms=139.0)


@pytest.mark.parametrize("times", [np.empty(0, np.int64), np.zeros(100, np.int64)])
def test_nothing_and_a_single_batch_have_no_rate(times):
    with pytest.raises(ValueError, match=r"no record|too few"):
        window(times)


def test_rounds_that_differ_too_much_are_refused():
    judge = Judge(FULL)
    judge.spread("steady", [1.0, 1.1, 0.95])
    assert judge.valid
    judge.spread("shaky", [1.0, 2.0, 1.5])
    assert judge.broken == ["shaky: rounds differ by 67% of their median, allowed are 25%"]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([], 0.0),
        ([1.0], 0.0),
        ([1.0, 0.5], 2 / 3),
        ([1.0, 0.9, 0.5], 5 / 9),
        ([0.5, 1.0, 0.9, 0.95], 0.1 / 0.95),
        ([0.4, 1.0, 0.5, 0.9, 0.6], 0.4),
    ],
)
def test_of_many_rounds_three_must_agree(values, found):
    assert agreement(values) == pytest.approx(found)
    assert Judge(FULL).agree(values) is (found <= FULL.max_spread)


def test_a_busy_machine_a_late_generator_and_a_lost_request_are_refused_once_each():
    judge = Judge(QUICK)
    judge.foreign("case", 0.01)
    judge.late("loop", 0.005)
    judge.whole("case", [])
    assert judge.valid
    for _ in range(2):
        judge.foreign("case", 0.31)
        judge.late("loop", 0.02)
        judge.whole("case", ["10 requests gave 9 predictions"])
    assert [reason.split(":")[0] for reason in judge.broken] == ["case", "loop", "case"]
    assert "31%" in judge.broken[0]


def test_a_median_of_nothing_is_no_number_and_json_gets_null():
    assert math.isnan(median([]))
    assert finite({"a": [math.nan, 1.0], "b": np.int64(3), "c": math.inf}) == {"a": [None, 1.0], "b": 3, "c": None}


def test_flat_memory_has_no_slope():
    assert slope_per_minute([0, 10, 20, 30], [5.0, 5.0, 5.0, 5.0]) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("broken", "quick", "only", "brokers", "kept"),
    [
        ([], False, [], BROKERS, True),
        (["a reason"], False, [], BROKERS, False),
        ([], True, [], BROKERS, False),
        ([], False, ["limit"], BROKERS, False),
        ([], False, [], ("tansu",), False),
    ],
)
def test_only_a_whole_unbroken_run_is_kept(tmp_path, monkeypatch, broken, quick, only, brokers, kept):
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    found = {"protocol": {"version": VERSION, "broken": broken, "quick": quick, "only": only, "brokers": list(brokers)}}
    assert (report.keep(found, "host") is not None) is kept
    assert (tmp_path / "host.json").exists() is kept


def test_machines_are_told_apart_by_what_they_are_not_by_their_load():
    this = machine.describe()
    assert machine.fingerprint(this) == machine.fingerprint(this | {"load_average": [9.0, 9.0, 9.0]})
    assert machine.fingerprint(this) != machine.fingerprint(this | {"cores": 128})
    assert "/" not in machine.fingerprint(this)


def test_a_cold_key_never_comes_twice_and_warm_ones_have_all_come_before_the_measured_part():
    from tests.bench.workload import KEYS, WARM_KEYS, Workload, keys

    workload = Workload(service="any", looked_up=True, hit_share=0.95)
    warm = WARM_KEYS // workload.partitions
    found = keys(workload, 1, 3 * warm)
    assert set(found) == set(KEYS)
    for column in found.values():
        assert len(set(column[:warm])) == warm
        later = column[warm:]
        cold = [key for key in later if key.startswith("c")]
        assert len(cold) == len(set(cold))
        assert set(later) - set(cold) <= set(column[:warm])
        assert len(cold) / len(later) == pytest.approx(0.05, abs=0.01)


def test_requests_of_a_loop_are_found_by_where_they_lie():
    from tests.bench.latency import request_numbers

    base = {0: 100, 1: 90, 2: 80}
    sent = np.arange(30)
    where = sent % 3, np.array([base[p] for p in (sent % 3).tolist()]) + sent // 3
    assert request_numbers(*where, base, 3).tolist() == sent.tolist()
