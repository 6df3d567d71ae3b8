"""The rolling statistics of the flights: events in, changed feature values out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from weir.rolling.keys import Keys
from weir.rolling.log import BEGIN, Columns, EventLog
from weir.rolling.statistics import Table, slide, smoothed

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
WEATHER = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")
DEPARTED = ["event_time", "carrier", "origin", "delay"]
ARRIVED = ["event_time", "carrier", "origin", "dest", "flight_number", "plane", "delay"]
OBSERVED = ["event_time", "origin", *WEATHER]

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class View:
    """One feature view as computed here: names only, held equal to feature_repo by a test."""

    join_keys: tuple[str, ...]
    features: tuple[str, ...]


VIEWS: Mapping[str, View] = {
    "origin_recent": View(("origin",), ("depdelay_1h", "ndep_1h", "depdelay_3h", "gone_3h")),
    "carrier_origin_recent": View(("carrier", "origin"), ("depdelay_3h",)),
    "carrier_recent": View(("carrier",), ("late_24h",)),
    "dest_recent": View(("dest",), ("arrdelay_6h",)),
    "route_recent": View(("route",), ("late_7d",)),
    "flight_recent": View(("flight_number",), ("late_21d",)),
    "plane_recent": View(("plane",), ("last_arrdelay",)),
    "origin_weather": View(("origin",), WEATHER),
}


@dataclass(frozen=True, slots=True)
class Update:
    """New values of one view, for the entities that an event entered or left, or whose latest value changed.

    ids: int64[n], ascending; positions in `RollingState.entities(view)`. values: float32[n, k] in the order of
    VIEWS[view].features, NaN = null. event_us: int64[n], microseconds since the epoch UTC.
    """

    view: str
    ids: Ids
    values: npt.NDArray[np.float32]
    event_us: Ids


class RollingState:
    """Statistics per entity over (T - window, T], kept step by step.

    Means are smoothed: departure delays towards 12 min (weight 5), arrival delays towards 6 min (5), shares of late
    arrivals (15 min or more, as the US DOT counts) towards 0.24 (20, flight numbers 5). A departure counts as gone at
    the later of its actual and its scheduled time, so that early ones do not look like a cleared backlog.
    Late events are counted from the step after they came. Same events, same steps: same bits.
    """

    def __init__(self) -> None:
        self._keys = {view: Keys() for view in VIEWS}
        self._tables = {
            "origin_recent": Table(5),
            "carrier_origin_recent": Table(2),
            "carrier_recent": Table(2),
            "dest_recent": Table(2),
            "route_recent": Table(2),
            "flight_recent": Table(2),
            "plane_recent": Table(1),
            "origin_weather": Table(len(WEATHER)),
        }
        self._last_us = {view: np.full(64, BEGIN) for view in ("plane_recent", "origin_weather")}
        ids = {
            "carrier_recent": np.int64,
            "dest_recent": np.int64,
            "route_recent": np.int64,
            "flight_recent": np.int64,
            "plane_recent": np.int64,
        }
        self._departures = EventLog(
            {"origin_recent": np.int64, "carrier_origin_recent": np.int64, "delay": np.float64}, (HOUR_US, 3 * HOUR_US)
        )
        self._gone = EventLog({"origin_recent": np.int64}, (3 * HOUR_US,))
        self._arrivals = EventLog(
            {**ids, "delay": np.float64, "late": np.float64}, (DAY_US, 6 * HOUR_US, 7 * DAY_US, 21 * DAY_US)
        )
        self._weather = EventLog({"origin_weather": np.int64, **dict.fromkeys(WEATHER, np.float64)}, ())
        self.clock_us = BEGIN

    def entities(self, view: str) -> list[tuple[str, ...]]:
        """Key values by entity number, in the order of VIEWS[view].join_keys. Grows; do not change it."""
        return self._keys[view].entities

    def add(self, events: pa.RecordBatch | pa.Table) -> None:
        """Take events in, in any order; they count from the next `advance` on.

        events: columns of the contract flight_events. Departures and arrivals without a finite delay say nothing and
        are left out, as is a part of an event whose key is null. `clock` records are no events.
        """
        kind = events.column("kind")
        for name, columns, take in (
            ("departure", DEPARTED, self._departed),
            ("arrival", ARRIVED, self._arrived),
            ("weather", OBSERVED, self._observed),
        ):
            mask = pc.equal(kind, name)
            if pc.any(mask).as_py():
                take(events.select(columns).filter(mask))

    def advance(self, clock_us: int) -> list[Update]:
        """Move the clock to T = clock_us, inclusive, and give the values that changed; [] when it is there already.

        Values carry event_us = T; weather carries the time at which it became known. Raises ValueError when the clock
        would run backwards.
        """
        if clock_us < self.clock_us:
            raise ValueError(f"the clock would run backwards: {clock_us} after {self.clock_us}")
        if clock_us == self.clock_us and self._nothing_late():
            return []
        self.clock_us = clock_us
        changed = [*self._slide_departures(clock_us), *self._slide_arrivals(clock_us), self._latest_weather(clock_us)]
        return [update for update in changed if len(update.ids)]

    def _nothing_late(self) -> bool:
        return not any(log.has_late for log in (self._departures, self._gone, self._arrivals, self._weather))

    def _departed(self, rows: pa.RecordBatch | pa.Table) -> None:
        t, delay, rows = _timed(rows)
        origin, carrier = _text(rows, "origin"), _text(rows, "carrier")
        origins = self._number("origin_recent", origin)
        self._departures.add(
            {
                "t": t,
                "delay": delay,
                "origin_recent": origins,
                "carrier_origin_recent": self._number("carrier_origin_recent", carrier, origin),
            }
        )
        scheduled = t - np.rint(delay * MINUTE_US).astype(np.int64)
        self._gone.add({"t": np.maximum(t, scheduled), "origin_recent": origins})

    def _arrived(self, rows: pa.RecordBatch | pa.Table) -> None:
        t, delay, rows = _timed(rows)
        dest = _text(rows, "dest")
        route = pc.binary_join_element_wise(_text(rows, "origin"), dest, "-")
        self._arrivals.add(
            {
                "t": t,
                "delay": delay,
                "late": (delay >= 15).astype(np.float64),
                "carrier_recent": self._number("carrier_recent", _text(rows, "carrier")),
                "dest_recent": self._number("dest_recent", dest),
                "route_recent": self._number("route_recent", route),
                "flight_recent": self._number("flight_recent", _text(rows, "flight_number")),
                "plane_recent": self._number("plane_recent", _text(rows, "plane")),
            }
        )

    def _observed(self, rows: pa.RecordBatch | pa.Table) -> None:
        values = {name: _floats(rows, name) for name in WEATHER}
        origins = self._number("origin_weather", _text(rows, "origin"))
        self._weather.add({"t": _micros(rows), "origin_weather": origins, **values})

    def _number(self, view: str, *parts: pa.Array) -> Ids:
        ids = self._keys[view].encode(*parts)
        self._tables[view].fit(len(self._keys[view]))
        last = self._last_us.get(view)
        if last is not None and len(last) < self._tables[view].cells.shape[1]:
            grown = np.full(self._tables[view].cells.shape[1], BEGIN)
            grown[: len(last) - 1] = last[:-1]
            self._last_us[view] = grown
        return ids

    def _slide_departures(self, clock_us: int) -> list[Update]:
        departed, gone = self._departures.advance(clock_us), self._gone.advance(clock_us)
        origin, pair = self._tables["origin_recent"], self._tables["carrier_origin_recent"]
        slide(origin, 0, 1, *departed.moves(0, "origin_recent", "delay"))
        slide(origin, 2, 3, *departed.moves(1, "origin_recent", "delay"))
        slide(origin, 4, None, *gone.moves(0, "origin_recent", "t"))
        slide(pair, 0, 1, *departed.moves(1, "carrier_origin_recent", "delay"))
        ids = origin.take_touched()
        n_1h, sum_1h, n_3h, sum_3h, gone_3h = origin.cells[:, ids]
        values = np.stack([smoothed(sum_1h, n_1h, 12.0, 5.0), n_1h, smoothed(sum_3h, n_3h, 12.0, 5.0), gone_3h], axis=1)
        by_pair = self._mean("carrier_origin_recent", clock_us, 12.0, 5.0)
        return [_update("origin_recent", ids, values, clock_us), by_pair]

    def _slide_arrivals(self, clock_us: int) -> list[Update]:
        arrived = self._arrivals.advance(clock_us)
        for window, view, value in (
            (0, "carrier_recent", "late"),
            (1, "dest_recent", "delay"),
            (2, "route_recent", "late"),
            (3, "flight_recent", "late"),
        ):
            slide(self._tables[view], 0, 1, *arrived.moves(window, view, value))
        plane = self._latest("plane_recent", arrived.entering, ("delay",))
        return [
            self._mean("carrier_recent", clock_us, 0.24, 20.0),
            self._mean("dest_recent", clock_us, 6.0, 5.0),
            self._mean("route_recent", clock_us, 0.24, 20.0),
            self._mean("flight_recent", clock_us, 0.24, 5.0),
            _update("plane_recent", plane, self._tables["plane_recent"].cells[:, plane].T, clock_us),
        ]

    def _latest_weather(self, clock_us: int) -> Update:
        ids = self._latest("origin_weather", self._weather.advance(clock_us).entering, WEATHER)
        values = self._tables["origin_weather"].cells[:, ids].T
        return Update("origin_weather", ids, values.astype(np.float32), self._last_us["origin_weather"][ids])

    def _mean(self, view: str, clock_us: int, prior: float, weight: float) -> Update:
        table = self._tables[view]
        ids = table.take_touched()
        count, total = table.cells[:, ids]
        return _update(view, ids, smoothed(total, count, prior, weight)[:, None], clock_us)

    def _latest(self, view: str, entering: Columns, columns: tuple[str, ...]) -> Ids:
        """Keep the newest values per entity; of equal times the one that came last. Returns the changed entities."""
        table, last_us = self._tables[view], self._last_us[view]
        ids, t = entering[view], entering["t"]
        newer = t >= last_us[ids]
        if not newer.all():
            ids, t = ids[newer], t[newer]
        last_us[ids] = t  # events come in time order, and the last of several assignments to one cell stays
        last_us[-1] = BEGIN
        for row, name in enumerate(columns):
            table.cells[row][ids] = entering[name] if newer.all() else entering[name][newer]
        table.touch(ids)
        return table.take_touched()


def _update(view: str, ids: Ids, values: Floats, clock_us: int) -> Update:
    return Update(view, ids, values.astype(np.float32), np.full(len(ids), clock_us))


def _timed(rows: pa.RecordBatch | pa.Table) -> tuple[Ids, Floats, pa.RecordBatch | pa.Table]:
    delay = _floats(rows, "delay")
    known = np.isfinite(delay)
    if known.all():
        return _micros(rows), delay, rows
    rows = rows.filter(pa.array(known))
    return _micros(rows), delay[known], rows


def _micros(rows: pa.RecordBatch | pa.Table) -> Ids:
    column = _flat(rows.column("event_time"))
    micros: Ids = column.cast(pa.timestamp("us", tz=column.type.tz)).cast(pa.int64()).to_numpy()
    return micros


def _floats(rows: pa.RecordBatch | pa.Table, name: str) -> Floats:
    floats: Floats = _flat(rows.column(name)).cast(pa.float64()).to_numpy(zero_copy_only=False)
    return floats


def _text(rows: pa.RecordBatch | pa.Table, name: str) -> pa.Array:
    return _flat(rows.column(name))


def _flat(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
