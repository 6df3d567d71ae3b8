"""Rolling statistics kept step by step equal the same statistics counted from scratch."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from weir.demo.rolling.history import history
from weir.demo.rolling.state import DAY_US, HOUR_US, MINUTE_US, VIEWS, WEATHER, RollingState

HOURS = 60
minutes = st.integers(0, HOURS * 60)
flight = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["departure", "arrival"]),
        "minute": minutes,
        "carrier": st.sampled_from(["UA", "AA"]),
        "origin": st.sampled_from(["EWR", "JFK"]),
        "dest": st.sampled_from(["IAH", "MIA", "BQN"]),
        "flight_number": st.sampled_from(["UA1-IAH", "AA2-MIA"]),
        "plane": st.sampled_from(["N1", "N2", None]),
        "delay": st.one_of(st.none(), st.integers(-30, 90)),
        "hours_late": st.sampled_from([0, 0, 0, 0, 2, 5, 30]),
    }
)
observation = st.fixed_dictionaries(
    {
        "kind": st.just("weather"),
        "minute": st.integers(0, HOURS).map(lambda hour: hour * 60),
        "origin": st.sampled_from(["EWR", "JFK"]),
        "temp": st.one_of(st.none(), st.integers(0, 90)),
        "hours_late": st.sampled_from([0, 0, 3]),
    }
)
EMPTY = {
    "origin_recent": (12.0, 0.0, 12.0, 0.0),
    "carrier_origin_recent": (12.0,),
    "carrier_recent": (0.24,),
    "dest_recent": (6.0,),
    "route_recent": (0.24,),
    "flight_recent": (0.24,),
}
FIELDS = pa.schema(
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


def table(events: list[dict]) -> pa.Table:
    rows = [
        {**{name: event.get(name) for name in FIELDS.names}, "event_time": event["minute"] * 60_000} for event in events
    ]
    return pa.Table.from_pylist(rows, schema=FIELDS)


def window(events, clock_us, span_us, kind, **key):
    return [
        event["delay"]
        for event in events
        if event["kind"] == kind
        and event["delay"] is not None
        and clock_us - span_us < event["minute"] * MINUTE_US <= clock_us
        and all(event[name] == value for name, value in key.items())
    ]


def mean(values, prior, weight):
    return np.float32((sum(values) + prior * weight) / (len(values) + weight))


def late(values):
    return [float(value >= 15) for value in values]


def direct(events, clock_us):
    """Every value of every view at one clock hour, counted from the events themselves."""
    seen = [event for event in events if event["minute"] * MINUTE_US <= clock_us]
    out = {}
    for event in seen:
        if event["kind"] == "weather":
            newest = max(e["minute"] for e in seen if e["kind"] == "weather" and e["origin"] == event["origin"])
            last = [
                e for e in seen if e["kind"] == "weather" and e["origin"] == event["origin"] and e["minute"] == newest
            ][-1]
            out["origin_weather", (event["origin"],)] = (last["temp"], *[None] * 8)
            continue
        if event["delay"] is None:
            continue
        carrier, origin, dest = event["carrier"], event["origin"], event["dest"]
        if event["kind"] == "departure":
            gone = [
                1
                for e in seen
                if e["kind"] == "departure"
                and e["delay"] is not None
                and e["origin"] == origin
                and clock_us - 3 * HOUR_US < (e["minute"] + max(0, -e["delay"])) * MINUTE_US <= clock_us
            ]
            one = window(seen, clock_us, HOUR_US, "departure", origin=origin)
            three = window(seen, clock_us, 3 * HOUR_US, "departure", origin=origin)
            out["origin_recent", (origin,)] = (mean(one, 12, 5), len(one), mean(three, 12, 5), len(gone))
            pair = window(seen, clock_us, 3 * HOUR_US, "departure", origin=origin, carrier=carrier)
            out["carrier_origin_recent", (carrier, origin)] = (mean(pair, 12, 5),)
            continue
        day = window(seen, clock_us, DAY_US, "arrival", carrier=carrier)
        out["carrier_recent", (carrier,)] = (mean(late(day), 0.24, 20),)
        out["dest_recent", (dest,)] = (mean(window(seen, clock_us, 6 * HOUR_US, "arrival", dest=dest), 6, 5),)
        route = window(seen, clock_us, 7 * DAY_US, "arrival", origin=origin, dest=dest)
        out["route_recent", (f"{origin}-{dest}",)] = (mean(late(route), 0.24, 20),)
        number = event["flight_number"]
        own = window(seen, clock_us, 21 * DAY_US, "arrival", flight_number=number)
        out["flight_recent", (number,)] = (mean(late(own), 0.24, 5),)
        if event["plane"]:
            newest = max(
                e["minute"]
                for e in seen
                if e["kind"] == "arrival" and e["plane"] == event["plane"] and e["delay"] is not None
            )
            ties = {
                e["delay"]
                for e in seen
                if e["kind"] == "arrival"
                and e["plane"] == event["plane"]
                and e["minute"] == newest
                and e["delay"] is not None
            }
            if len(ties) == 1:  # equal times: the one that came last stays, which is not what this counts
                out["plane_recent", (event["plane"],)] = (ties.pop(),)
    return out


@given(st.lists(st.one_of(flight, flight, flight, observation), max_size=40), st.sampled_from([1, 5]))
@settings(max_examples=60, deadline=None)
def test_every_step_equals_a_count_from_scratch_and_late_events_count_once_they_came(events, stride):
    state, current, sent = RollingState(), {}, []
    for hour in range(stride, HOURS + 1, stride):

        def comes(event, hour=hour):
            return event["minute"] + 60 * event["hours_late"] <= hour * 60

        batch = [event for event in events if comes(event) and not any(event is other for other in sent)]
        sent.extend(batch)
        state.add(table(batch))
        for update in state.advance(hour * HOUR_US):
            entities = state.entities(update.view)
            for number, values, event_us in zip(update.ids, update.values, update.event_us, strict=True):
                current[update.view, entities[number]] = tuple(values)
                assert event_us == hour * HOUR_US or update.view == "origin_weather"
        if hour % 5:  # the count from scratch is slow
            continue
        for entity, values in direct(sent, hour * HOUR_US).items():
            if entity[0] == "origin_weather":  # see the unit test
                continue
            wanted = np.array(values, np.float32)
            # an entity whose events all came later than its window is long was never told of: nothing is known of it
            served = np.array(current.get(entity, EMPTY.get(entity[0])), np.float32)
            np.testing.assert_array_equal(served, wanted, err_msg=str((entity, hour)))


@given(st.lists(st.one_of(flight, observation), max_size=60))
@settings(max_examples=15, deadline=None)
def test_the_history_holds_the_value_of_every_hour(events):
    hours = [hour * HOUR_US for hour in range(1, HOURS + 1)]
    tables = history(table(events), hours)
    assert {view: tables[view].column_names[: len(shape.join_keys)] for view, shape in VIEWS.items()} == {
        view: list(shape.join_keys) for view, shape in VIEWS.items()
    }
    for clock_us in hours[::7]:
        latest = {}
        for view, rows in tables.items():
            for row in rows.to_pylist():
                if row["event_timestamp"].timestamp() * 1e6 <= clock_us:
                    latest[view, tuple(row[key] for key in VIEWS[view].join_keys)] = tuple(
                        row[name] for name in VIEWS[view].features
                    )
        for entity, values in direct(events, clock_us).items():
            if entity[0] != "origin_weather":
                assert [np.float32(value) for value in latest[entity]] == [np.float32(value) for value in values]
