"""The flights as a stream: complete, in order, and without a word of the future."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from weir.core.signature import Dtype, Source
from weir.demo import check, data, source
from weir.demo.flights import HOUR_MS, WEATHER, Flights
from weir.demo.signature import SIGNATURE
from weir.settings import load


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("flights")


@pytest.fixture(scope="module")
def flights(home: Path) -> Flights:
    return data.load(load(home=home))


def ms(table: pa.Table, column: str) -> np.ndarray:
    return table[column].cast(pa.int64()).to_numpy()


def test_every_flight_is_asked_about_and_every_landing_answered(flights: Flights) -> None:
    assert flights.requests.num_rows == 336_776
    assert flights.outcomes.num_rows == 327_346
    labels = flights.requests["label"].to_numpy()
    assert np.isnan(labels).sum() == 9_430  # cancelled and diverted
    assert np.nanmean(labels) == pytest.approx(0.244695, abs=1e-6)
    kinds = {item["values"]: item["counts"] for item in flights.events["kind"].value_counts().to_pylist()}
    assert kinds == {"weather": 26_115, "departure": 328_521, "arrival": 327_346, "clock": 8_764}


def test_the_timetable_is_the_reference_one(flights: Flights) -> None:
    """Means measured when the data set was chosen; a mistake in a time zone moves them."""
    means = {name: np.mean(flights.requests[name].to_numpy()) for name in ("sched_dur", "org_sched_next1h")}
    assert means == pytest.approx({"sched_dur": 186.569, "org_sched_next1h": 39.2137}, abs=1e-3)
    first = flights.requests.slice(0, 1).to_pylist()[0]
    assert (first["flight_number"], first["route"]) == ("UA1545-IAH", "EWR-IAH")
    assert first["event_time"].isoformat() == "2013-01-01T09:15:00+00:00"


def test_everything_is_in_the_order_of_its_time(flights: Flights) -> None:
    for table, column in (
        (flights.requests, "event_time"),
        (flights.events, "event_time"),
        (flights.outcomes, "occurred_at"),
    ):
        assert (np.diff(ms(table, column)) >= 0).all()
    asked = ms(flights.requests, "event_time")
    assert (flights.requests["clock_hour"].to_numpy() == asked // HOUR_MS).all()


def test_the_clock_ticks_every_hour_after_all_events_of_its_time(flights: Flights) -> None:
    at, tick = ms(flights.events, "event_time"), pc.equal(flights.events["kind"], "clock").to_numpy()
    assert (np.diff(at[tick]) == HOUR_MS).all()
    assert (at[tick] % HOUR_MS == 0).all()
    after = at[1:][tick[:-1]]
    assert (after > at[:-1][tick[:-1]]).all()
    assert at[tick][-1] >= at[-1]


def test_no_flights_own_events_come_before_its_request(flights: Flights) -> None:
    asked = np.empty(flights.requests.num_rows, np.int64)
    asked[flights.requests["flight_row"].to_numpy()] = ms(flights.requests, "event_time")
    landed = ms(flights.outcomes, "occurred_at") - asked[flights.outcomes["flight_row"].to_numpy()]
    assert landed.min() > 0
    gone = flights.events.filter(pc.equal(flights.events["kind"], "departure"))
    assert gone["delay"].to_numpy().min() > -60  # a request stands 60 minutes before schedule


def test_outcomes_point_at_their_requests(flights: Flights) -> None:
    rows = pa.array(flights.outcomes["request_row"].to_numpy()[:1000])
    asked = flights.requests.take(rows)
    assert asked["flight_row"].equals(flights.outcomes["flight_row"].slice(0, 1000))
    assert asked["label"].to_pylist() == [
        float(label) for label in flights.outcomes["label"].slice(0, 1000).to_pylist()
    ]


def test_every_word_is_a_category_of_the_signature(flights: Flights) -> None:
    for item in SIGNATURE.of(Source.REQUEST):
        if item.dtype is Dtype.CATEGORY:
            assert set(flights.requests[item.ref].unique().to_pylist()) <= set(item.categories)
            assert len(set(item.categories)) == len(item.categories)


def test_every_request_input_and_join_key_is_there(flights: Flights) -> None:
    names = {item.ref for item in SIGNATURE.of(Source.REQUEST)} | {key.name for key in SIGNATURE.join_keys}
    assert names <= set(flights.requests.column_names)
    assert flights.requests["request_id"].unique().equals(flights.requests["request_id"].combine_chunks())


def test_a_second_run_reads_the_cache(flights: Flights, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "folder", lambda: pytest.fail("the cache was not used"))
    again = data.load(load(home=home))
    assert again.requests.drop_columns("label").equals(flights.requests.drop_columns("label"))  # NaN equals nothing
    assert again.events.schema.equals(flights.events.schema)


def test_features_recomputed_from_raw_events_are_the_ones_counted_by_hand(flights: Flights) -> None:
    """Three departures and two landings at known times, one request."""
    minute = 60_000
    noon = 1_372_680_000_000  # 2013-07-01 12:00 UTC
    request = flights.requests.slice(200_000, 1)
    said = request.to_pylist()[0]
    asked = pa.array([noon + 20 * minute], pa.timestamp("ms", tz="UTC"))
    request = request.set_column(request.schema.get_field_index("event_time"), "event_time", asked)
    other = "JFK" if said["origin"] != "JFK" else "LGA"

    def event(kind: str, at: int, origin: str, delay: float, **more: float) -> dict[str, object]:
        keys = {name: said[name] for name in ("carrier", "dest", "flight_number", "plane")}
        empty = dict.fromkeys(WEATHER)
        when = pa.scalar(noon + at * minute, pa.timestamp("ms", tz="UTC")).as_py()
        return {"kind": kind, "event_time": when, **keys, "origin": origin, "delay": delay, **empty, **more}

    rows = [
        event("departure", -60, said["origin"], 30.0),  # an hour ago at noon: just out of the hour, in the three
        event("departure", -59, said["origin"], 10.0),  # the oldest that the last hour holds
        event("departure", -5, said["origin"], -10.0),  # early: gone at 12:05 only
        event("departure", 5, said["origin"], 500.0),  # after noon: not known at the clock hour of the request
        event("departure", -30, other, 500.0),  # elsewhere
        event("arrival", -90, said["origin"], 40.0),
        event("arrival", -30, said["origin"], -5.0),
        event("weather", -30, said["origin"], 0.0, temp=70.0),
    ]
    made = Flights(request, pa.Table.from_pylist(rows, flights.events.schema), flights.outcomes)
    found = {name: float(value[0]) for name, value in check.features(made, np.array([0])).items()}
    assert found["origin_recent__ndep_1h"] == 2
    assert found["origin_recent__depdelay_1h"] == (10 - 10 + 12 * 5) / (2 + 5)
    assert found["origin_recent__depdelay_3h"] == (30 + 10 - 10 + 12 * 5) / (3 + 5)
    assert found["origin_recent__gone_3h"] == 2
    assert found["carrier_recent__late_24h"] == (1 + 0.24 * 20) / (2 + 20)
    assert found["dest_recent__arrdelay_6h"] == (40 - 5 + 6 * 5) / (2 + 5)
    assert found["plane_recent__last_arrdelay"] == -5
    assert found["origin_weather__temp"] == 70
    assert np.isnan(found["origin_weather__pressure"])
    assert found["origin_weather__wind_gust"] == 0
