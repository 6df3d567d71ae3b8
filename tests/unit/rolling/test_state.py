import numpy as np
import pyarrow as pa
import pytest
from weir.demo.rolling.state import HOUR_US, VIEWS, WEATHER, RollingState
from weir.rolling.keys import NONE, Keys

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


def events(*rows):
    full = [
        {
            **dict.fromkeys(SCHEMA.names),
            "carrier": "UA",
            "origin": "EWR",
            "dest": "IAH",
            "plane": "N1",
            "flight_number": "UA1-IAH",
            **row,
            "event_time": int(row["event_time"] * 3_600_000),
        }
        for row in rows
    ]
    return pa.RecordBatch.from_pylist(full, schema=SCHEMA)


def values(updates):
    return {update.view: update.values.tolist() for update in updates}


def test_an_event_on_the_hour_is_in_and_one_a_window_old_is_out():
    state = RollingState()
    state.add(events({"kind": "departure", "event_time": 1, "delay": 30}))
    assert values(state.advance(HOUR_US))["origin_recent"] == [[15.0, 1.0, 15.0, 1.0]]
    assert values(state.advance(2 * HOUR_US))["origin_recent"] == [[12.0, 0.0, 15.0, 1.0]]
    assert state.advance(3 * HOUR_US) == []
    last = values(state.advance(4 * HOUR_US))
    assert last == {"origin_recent": [[12.0, 0.0, 12.0, 0.0]], "carrier_origin_recent": [[12.0]]}


def test_an_early_departure_is_gone_only_at_its_scheduled_time():
    state = RollingState()
    state.add(events({"kind": "departure", "event_time": 0.9, "delay": -30}))
    assert values(state.advance(HOUR_US))["origin_recent"][0][3] == 0.0
    assert values(state.advance(2 * HOUR_US))["origin_recent"][0][3] == 1.0


def test_weather_keeps_its_own_time_and_its_nulls():
    state = RollingState()
    state.add(events({"kind": "weather", "event_time": 1.5, "temp": 40.0, "delay": None}))
    assert state.advance(HOUR_US) == []
    (update,) = state.advance(3 * HOUR_US)
    assert update.view == "origin_weather"
    assert update.event_us.tolist() == [HOUR_US * 3 // 2]
    np.testing.assert_array_equal(update.values, np.float32([[40, *[np.nan] * 8]]))


def test_an_older_arrival_that_comes_late_does_not_replace_the_planes_last():
    state = RollingState()
    state.add(events({"kind": "arrival", "event_time": 2, "delay": 7}))
    state.advance(3 * HOUR_US)
    state.add(events({"kind": "arrival", "event_time": 1, "delay": 50}))
    late = values(state.advance(3 * HOUR_US))
    assert "plane_recent" not in late
    assert late["carrier_recent"] == [[pytest.approx((1 + 0.24 * 20) / 22)]]


def test_clock_records_and_events_without_a_delay_say_nothing():
    state = RollingState()
    state.add(events({"kind": "clock", "event_time": 1}, {"kind": "arrival", "event_time": 1, "delay": None}))
    assert state.advance(HOUR_US) == []


def test_the_clock_never_runs_backwards():
    state = RollingState()
    state.advance(2 * HOUR_US)
    with pytest.raises(ValueError, match="backwards"):
        state.advance(HOUR_US)


def test_a_null_key_is_in_no_entity_even_after_the_tables_grew():
    rows = [
        {
            "kind": "arrival",
            "event_time": 1,
            "delay": 20,
            "plane": None if n % 2 else f"N{n}",
            "flight_number": f"UA{n}-IAH",
        }
        for n in range(300)
    ]
    state = RollingState()
    for row in rows:
        state.add(events(row))
    by_view = {update.view: update for update in state.advance(HOUR_US)}
    assert by_view["plane_recent"].values.tolist() == [[20.0]] * 150
    assert len(state.entities("plane_recent")) == 150
    assert by_view["flight_recent"].values.tolist() == [[pytest.approx((1 + 0.24 * 5) / 6)]] * 300


def test_keys_of_several_parts_are_told_apart_exactly():
    keys = Keys()
    first = keys.encode(pa.array(["a", "a-b", None]), pa.array(["b-c", "c", "c"]))
    assert first.tolist() == [0, 1, NONE]
    assert keys.encode(pa.array(["a-b"]), pa.array(["c"])).tolist() == [1]


def test_statistics_are_the_same_bits_however_the_events_were_cut_into_batches():
    rng = np.random.default_rng(3)
    rows = [
        {
            "kind": rng.choice(["departure", "arrival"]),
            "event_time": hour + rng.random(),
            "delay": int(rng.integers(-20, 200)),
            "carrier": f"C{rng.integers(3)}",
        }
        for hour in [*range(60)] * 2
    ]
    whole, pieces = RollingState(), RollingState()
    whole.add(events(*rows))
    for row in rows:
        pieces.add(events(row))
    for hour in range(1, 80):
        left, right = whole.advance(hour * HOUR_US), pieces.advance(hour * HOUR_US)
        assert [update.view for update in left] == [update.view for update in right]
        for a, b in zip(left, right, strict=True):
            names = [whole.entities(a.view)[i] for i in a.ids]
            other = [pieces.entities(b.view)[i] for i in b.ids]
            assert dict(zip(names, map(bytes, a.values), strict=True)) == dict(
                zip(other, map(bytes, b.values), strict=True)
            )


def test_every_view_names_its_keys_and_features():
    assert all(view.join_keys and view.features for view in VIEWS.values())
