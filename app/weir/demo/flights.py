"""The flights of a year as tables, and the units in which they are counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

Progress = Callable[[int, int, str], None]

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
WEATHER = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")


@dataclass(frozen=True, slots=True)
class Flights:
    """The year, as Arrow tables.

    requests: one row per flight, by event_time: flight_row int32 (row in flights.csv), clock_hour int64 (hours since
        the epoch of the last full hour at or before event_time), label float32 (1 late, 0 not, NaN never known), then
        the fields of a ScoringRequest: request_id, event_time, tenant, team, join keys, request inputs.
    events: the fields of a FlightEvent, by event_time; at one time departures, arrivals, weather, the clock last.
    outcomes: by occurred_at: flight_row, request_row (row in `requests`), occurred_at, observed (minutes), label,
        attributes (what a missed late flight and a false alert cost, dollars).
    """

    requests: pa.Table
    events: pa.Table
    outcomes: pa.Table
