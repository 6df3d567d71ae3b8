"""Faults that the demo plants: how they are said, what they change, and how it is told when they were noticed."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from weir.core.errors import Refused
from weir.demo import report_monitors
from weir.demo.flights import Flights
from weir.demo.months import Cost
from weir.demo.plant import UNITS, Plant, into
from weir.demo.season import Alarm, Watched
from weir.demo.signature import SIGNATURE
from weir.monitor.alert import Severity

TIME = pa.timestamp("ms", tz="UTC")
BEFORE, AFTER = datetime(2013, 9, 30, 23, tzinfo=UTC), datetime(2013, 10, 1, tzinfo=UTC)
FEATURE, LABEL = Plant.of("feature:temp@2013-10-01"), Plant.of("label@2013-10-01")
FREE = Cost(
    currency="USD",
    predictions=1,
    metered=0.0,
    allocated=0.0,
    rejected=0.0,
    idle=0.0,
    unexplained=0.0,
    components={},
)


def flights():
    events = pa.table(
        {
            "event_time": pa.array([BEFORE, AFTER, AFTER, AFTER], TIME),
            "kind": ["weather", "weather", "departure", "weather"],
            "temp": pa.array([50.0, 50.0, None, None], pa.float64()),
            "dewp": pa.array([50.0, 50.0, None, 41.0], pa.float64()),
        }
    )
    outcomes = pa.table(
        {
            "occurred_at": pa.array([BEFORE, AFTER, AFTER, AFTER], TIME),
            "observed": [5.0, 5.0, 0.0, 20.0],
            "label": ["0", "0", "0", "1"],
        }
    )
    return Flights(pa.table({"request_id": ["a"]}), events, outcomes)


def test_a_feed_changes_its_unit_from_that_day_on_and_nothing_else_does():
    found = into(flights(), [FEATURE])
    assert found.events["temp"].to_pylist() == [50.0, pytest.approx(10.0), None, None]
    assert found.events["dewp"].equals(flights().events["dewp"])
    assert found.outcomes.equals(flights().outcomes)
    assert found.events.schema == flights().events.schema


def test_labels_mean_something_else_from_that_day_on_and_minutes_do_not():
    found = into(flights(), [LABEL])
    assert found.outcomes["label"].to_pylist() == ["0", "1", "0", "1"]
    assert found.outcomes["observed"].equals(flights().outcomes["observed"])
    assert found.events.equals(flights().events)


def test_without_a_plant_the_flights_are_as_they_are():
    given = flights()
    assert into(given, []) is given


@pytest.mark.parametrize("name", UNITS)
def test_what_can_be_broken_is_an_input_and_stays_in_its_range(name):
    item = next(one for one in SIGNATURE.inputs if one.name == Plant.of(f"feature:{name}@2013-10-01").input)
    typical = UNITS[name][1](pa.array([item.default or 5.0]).to_numpy())
    assert item.low <= typical[0] <= item.high


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("temp@2013-10-01", "no fault"),
        ("feature@2013-10-01", "no fault"),
        ("label:temp@2013-10-01", "no fault"),
        ("feature:carrier@2013-10-01", "cannot be broken"),
        ("label", "no day"),
        ("label@october", "no day"),
        ("label@2013-06-30", "not replayed"),
        ("label@2014-01-01", "not replayed"),
    ],
)
def test_what_cannot_be_planted_is_refused(text, says):
    with pytest.raises(Refused, match=says):
        Plant.of(text)


def alarm(day, severity, monitor, subject):
    at = datetime(2013, 10, day, tzinfo=UTC)
    return Alarm(at=at, severity=severity, monitor=monitor, subjects=(subject, "other"), sentence="moved")


def test_it_is_told_when_each_was_noticed_and_what_came_before_does_not_count():
    temp = "origin_weather__temp"
    watched = Watched(
        windows=1,
        alarms=(
            alarm(1, Severity.PAGE, "drift/features", temp),
            alarm(3, Severity.TICKET, "drift/features", temp),
            alarm(10, Severity.PAGE, "drift/features", temp),
            alarm(10, Severity.PAGE, "drift/features", "origin_weather__dewp"),
            alarm(17, Severity.PAGE, "drift/features", temp),
        ),
    )
    told = report_monitors.to_json(watched, [], FREE, [FEATURE, LABEL])
    feature, label = told["alerts"]["planted"]
    assert (feature["detected"], feature["delay_days"]) == (True, 9.0)
    assert (feature["ticket"]["delay_days"], feature["page"]["delay_days"]) == (2.0, 9.0)
    assert (label["detected"], label["delay_days"], label["page"]) == (False, None, None)
    assert all(report_monitors.claims(told).values()), "what is planted is no season"
    report_monitors.show(told)
