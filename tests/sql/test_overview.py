"""The whole at a glance, over a day of three services of three tasks: what is missing, behind, moved, and fires."""

from datetime import timedelta

import pytest
from weir.core import numbers
from weir.core.signature import Task
from weir.edges.clickhouse.client import connect
from weir.monitor.verdict import State
from weir.operations import budgets, glance, overview

from tests.console.filled import ARRIVALS, DAY, FLIGHTS, NOW, PARCELS

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def client(day):
    return connect(day.recording)


@pytest.fixture(scope="module")
def seen(client):
    return overview.look(client, *overview.steps(86_400, NOW))


@pytest.fixture(scope="module")
def by_name(seen):
    return {one.name: one for one in seen.services}


def plain(text):
    return text.replace(numbers.THIN, " ")


def test_what_is_missing_and_who_is_behind_is_said_with_since_when_and_how_much(seen):
    balance = seen.balance
    assert balance.read == balance.scored + balance.rejected
    assert [(one.service, one.partition, one.missing, one.first) for one in balance.lost] == [
        (FLIGHTS.service, 1, 50, 1200)
    ]
    assert [(one.service, one.partition, round(one.late_s / 60)) for one in balance.behind] == [
        (FLIGHTS.service, 3, 40)
    ]
    assert (balance.verdict.state, plain(balance.verdict.sentence)) == (
        State.ALARM,
        "Almost. 50 offsets of flight-delay, partition 1 are missing since 28 Nov 03:59 and partition 3 of flight-delay"
        " is 40 min behind. All else adds up, to the offset.",
    )
    assert not seen.in_order


def test_each_task_has_its_own_figures(by_name):
    flights, parcels, arrivals = (by_name[of.service] for of in (FLIGHTS, PARCELS, ARRIVALS))
    assert [one.task for one in (flights, parcels, arrivals)] == [Task.BINARY, Task.MULTICLASS, Task.REGRESSION]
    assert [one.says.name for one in (flights, parcels, arrivals)] == ["positive", "letter", "mean"]
    assert [(one.quality.name, one.quality.value) for one in (flights, parcels, arrivals)] == [
        ("AUC", 0.7),  # the day after it is immature since its last revision
        ("accuracy", 0.75),
        ("MAE", 4.1),
    ]
    assert 0.45 < flights.says.value < 0.5
    assert 34 < arrivals.says.value < 36


def test_traffic_has_a_count_for_every_step(seen, by_name):
    for one in seen.services:
        assert len(one.counts) == 48
        assert sum(one.counts) == one.predictions
        assert one.rate == one.predictions / 86_400
        assert 3 < one.p99_ms < 15
    assert by_name[FLIGHTS.service].version == "8"


def test_what_moved_is_of_the_newest_window_alone(by_name):
    flights, parcels, arrivals = (by_name[of.service] for of in (FLIGHTS, PARCELS, ARRIVALS))
    assert (flights.inputs_moved, flights.inputs, flights.inputs_state) == (1, 3, State.ALARM)
    assert (parcels.inputs_moved, parcels.inputs, parcels.inputs_state) == (0, 1, State.OK)
    assert (arrivals.inputs_moved, arrivals.inputs, arrivals.inputs_state) == (0, 0, State.UNKNOWN)


def test_cost_is_weighed_by_predictions_and_value_is_of_the_time_that_is_asked_about(by_name):
    flights, arrivals = by_name[FLIGHTS.service], by_name[ARRIVALS.service]
    assert (flights.cost, flights.currency, flights.value) == (3.5, "EUR", 4515.0)
    assert (arrivals.cost, arrivals.currency, arrivals.value) == (None, "", None)


def test_a_time_in_which_no_day_of_outcomes_begins_has_earned_nobody_knows_what(client):
    seen = overview.look(client, NOW - HOUR, NOW, 60, FLIGHTS.service)
    assert [(one.value, one.currency) for one in seen.services] == [(None, "EUR")]


def test_complete_to_is_where_the_slowest_partition_is(by_name):
    assert by_name[FLIGHTS.service].behind
    assert numbers.clock(by_name[FLIGHTS.service].complete_to) == "19:19"
    assert numbers.clock(by_name[PARCELS.service].complete_to) == "19:59"


def test_alerts_come_by_cause_and_the_worst_first(seen, by_name):
    assert [(one.service, one.monitor, one.state) for one in seen.alerts] == [
        (FLIGHTS.service, "outcome/auc", "firing"),
        (FLIGHTS.service, "drift/features", "firing"),
        (PARCELS.service, "health/traffic", "pending"),
    ]
    assert [len(one.alerts) for one in seen.causes] == [2, 1]
    assert (seen.needs.state, seen.needs.sentence) == (State.ALARM, "2 alerts fire, from 1 cause. 1 more is pending.")
    assert [by_name[of.service].state for of in (FLIGHTS, PARCELS, ARRIVALS)] == [State.ALARM, State.LOOK, State.OK]
    assert seen.state is State.ALARM


def test_one_service_alone_is_judged_by_itself(client):
    alone = overview.look(client, *overview.steps(86_400, NOW), service=ARRIVALS.service)
    assert [one.name for one in alone.services] == [ARRIVALS.service]
    assert (alone.balance.verdict.state, alone.balance.verdict.sentence) == (
        State.OK,
        "Every request is accounted for, to the offset.",
    )
    assert (alone.in_order, alone.state, alone.needs.state) == (True, State.OK, State.OK)


def test_a_time_before_the_gap_has_none_and_one_without_anything_says_so(client):
    before = overview.look(client, NOW - DAY, NOW - 18 * HOUR, 900)
    assert (before.balance.missing, before.balance.behind) == (0, ())
    later = overview.look(client, NOW + DAY, NOW + 2 * DAY, 1800)
    assert (later.balance.verdict.state, later.balance.verdict.sentence) == (
        State.UNKNOWN,
        "Nothing was read in this time.",
    )
    assert later.newest == max(one.newest for one in later.services)
    assert {one.rate for one in later.services} == {None}


def test_what_is_on_its_way_at_the_end_is_not_missing(client):
    """The ledger of the gap's minute has come, its predictions have not: two minutes are given to them."""
    at = NOW - timedelta(hours=15, minutes=59, seconds=30)
    assert overview.look(client, at - HOUR, at, 300).balance.missing == 0
    assert overview.look(client, at - HOUR, at + timedelta(minutes=30), 300).balance.missing == 50


def test_what_scorers_have_announced_is_known_before_anything_is_asked_of_them(client):
    assert glance.announced(client) == {FLIGHTS.service, PARCELS.service, ARRIVALS.service}
    assert glance.announced(client, "nobody") == set()


def test_what_is_left_of_budgets_is_of_the_scarcest_objective(client, day, tmp_path):
    (tmp_path / "slos").mkdir()
    settings = day.having(slos_dir=tmp_path / "slos")
    for name, limit in (("fast", "99.9%"), ("loose", "50%")):
        said = f"title: t\nservice: {PARCELS.service}\nobjective: {limit}\nwindow: 1d\nmonitor: health/errors\n"
        (tmp_path / f"slos/{name}.yaml").write_text(f"{said}good: 1 - value\n")
    (tmp_path / "slos/broken.yaml").write_text("title: t\n")
    found = budgets.look(client, settings, NOW)
    (broken,) = found.refused
    assert "broken.yaml" in str(broken)
    rejected = 15 / 14_400  # of what is read, every 997th is
    assert found.left == {PARCELS.service: pytest.approx(1 - rejected / 0.001, abs=0.05)}
    assert budgets.look(client, settings, NOW, FLIGHTS.service).left == {}
    seen = overview.look(client, *overview.steps(86_400, NOW), budgets=found.left)
    assert [one.budget for one in seen.services] == [None, None, found.left[PARCELS.service]]


def test_budgets_are_asked_once_a_minute():
    asked = []
    remembered = budgets.Remembered(lambda now: asked.append(now) or budgets.Budgets({}))
    for seconds in (0, 2, 59, 60, 61):
        remembered.at(NOW + timedelta(seconds=seconds))
    assert asked == [NOW, NOW + timedelta(minutes=1)]
