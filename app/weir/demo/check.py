"""What a request should have seen, recomputed from the raw events: the demo's own witness.

Nothing of the feature worker is used here: no state, no updates, no store. Each value is looked up in the sorted events
of its entity, all windows of a feature at once, as of the last full hour before the request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from weir.core.signature import Dtype, Input, Policy, Source
from weir.demo.flights import HOUR_MS, WEATHER, Flights
from weir.demo.signature import LATE_MIN, PRIOR_ARRDELAY_MIN, PRIOR_DEPDELAY_MIN, PRIOR_LATE, SIGNATURE

Longs = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

DAY_MS = 24 * HOUR_MS
TIME_BITS = 42  # milliseconds since the epoch stay below 2**42 until the year 2109
PLANE_TTL_MS, WEATHER_TTL_MS = 14 * DAY_MS, 6 * HOUR_MS  # of the views; other views are at their priors by then


def matrix(flights: Flights, rows: Longs) -> npt.NDArray[np.float32]:
    """What the model should have been given for some requests: float32[m, k], columns as in SIGNATURE.

    rows: int64[m], positions in `flights.requests`.
    """
    requests = flights.requests.take(pa.array(rows))
    found = features(flights, rows)
    columns = [
        _asked(item, requests) if item.source is Source.REQUEST else found[item.ref].astype(np.float32)
        for item in SIGNATURE.inputs
    ]
    return np.column_stack(columns)


def features(flights: Flights, rows: Longs) -> dict[str, Doubles]:
    """Every Feast feature of some requests, policies applied: "view__feature" -> float64[m].

    rows: int64[m], positions in `flights.requests`.
    """
    requests = flights.requests.take(pa.array(rows))
    asked = _ms(requests, "event_time")
    clock = asked // HOUR_MS * HOUR_MS
    events = flights.events
    gone = _moved(events, "departure")
    landed = _moved(events, "arrival")
    early = gone.replace(at=np.maximum(gone.at, gone.at - np.rint(gone.delay * 60_000).astype(np.int64)))
    out: dict[str, Doubles] = {}

    def count_sum(what: _Moved, key: tuple[str, ...], value: Doubles, hours: int) -> tuple[Doubles, Doubles]:
        seen, wanted = _codes([what.rows, requests], key)
        spans = (clock - hours * HOUR_MS, clock)
        return _window(_Sorted.of(seen, what.at), value, wanted, spans)

    def mean(name: str, counted: tuple[Doubles, Doubles], prior: float, weight: float) -> None:
        count, total = counted
        out[name] = (total + prior * weight) / (count + weight)

    late = (landed.delay >= LATE_MIN).astype(np.float64)
    lately = count_sum(gone, ("origin",), gone.delay, 1)
    mean("origin_recent__depdelay_1h", lately, PRIOR_DEPDELAY_MIN, 5)
    out["origin_recent__ndep_1h"] = lately[0]
    mean("origin_recent__depdelay_3h", count_sum(gone, ("origin",), gone.delay, 3), PRIOR_DEPDELAY_MIN, 5)
    out["origin_recent__gone_3h"] = count_sum(early, ("origin",), gone.delay, 3)[0]
    its_own = count_sum(gone, ("carrier", "origin"), gone.delay, 3)
    mean("carrier_origin_recent__depdelay_3h", its_own, PRIOR_DEPDELAY_MIN, 5)
    mean("carrier_recent__late_24h", count_sum(landed, ("carrier",), late, 24), PRIOR_LATE, 20)
    mean("dest_recent__arrdelay_6h", count_sum(landed, ("dest",), landed.delay, 6), PRIOR_ARRDELAY_MIN, 5)
    mean("route_recent__late_7d", count_sum(landed, ("origin", "dest"), late, 7 * 24), PRIOR_LATE, 20)
    mean("flight_recent__late_21d", count_sum(landed, ("flight_number",), late, 21 * 24), PRIOR_LATE, 5)

    seen, wanted = _codes([landed.rows, requests], ("plane",))
    last = _last(_Sorted.of(seen, landed.at), wanted, clock)
    landed_at = -(-landed.at[last] // HOUR_MS) * HOUR_MS  # known at the clock hour after it
    known = (last >= 0) & (asked - landed_at <= PLANE_TTL_MS)
    out["plane_recent__last_arrdelay"] = np.where(known, landed.delay[last], PRIOR_ARRDELAY_MIN)

    weather = events.filter(pc.equal(events["kind"], "weather"))
    published = _ms(weather, "event_time")
    seen, wanted = _codes([weather, requests], ("origin",))
    last = _last(_Sorted.of(seen, published), wanted, clock)
    stale = asked - published[last] > WEATHER_TTL_MS
    for name in WEATHER:
        item = next(entry for entry in SIGNATURE.inputs if entry.ref == f"origin_weather__{name}")
        value = np.where(last < 0, np.nan, weather[name].to_numpy()[last])
        if item.on_missing is Policy.DEFAULT:
            value = np.where(np.isnan(value), item.default or 0.0, value)
        out[item.ref] = np.where(stale & (last >= 0), item.default or 0.0, value)
    return out


def differing(expected: npt.NDArray[np.float32], seen: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Which values differ, bit by bit but for NaN: bool[m, k]."""
    same: npt.NDArray[np.bool_] = (expected == seen) | (np.isnan(expected) & np.isnan(seen))
    return ~same


def auc(labels: npt.NDArray[Any], scores: npt.NDArray[Any]) -> float:
    """scikit-learn's area under the ROC curve; rows without a label (NaN) are left out."""
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - a second to import, wanted at the end of the demo only

    known = ~np.isnan(labels)
    return float(roc_auc_score(labels[known], scores[known]))


def of_classes(truth: npt.NDArray[np.str_], decided: npt.NDArray[np.str_]) -> tuple[float, float]:
    """scikit-learn's accuracy, and its F1 as the mean over all classes that were either true or decided."""
    from sklearn.metrics import accuracy_score, f1_score  # noqa: PLC0415 - as above

    return float(accuracy_score(truth, decided)), float(f1_score(truth, decided, average="macro"))


@dataclass(frozen=True, slots=True)
class _Moved:
    """Departures or arrivals: their rows, when (ms), and by how much late (minutes)."""

    rows: pa.Table
    at: Longs
    delay: Doubles

    def replace(self, at: Longs) -> _Moved:
        return _Moved(self.rows, at, self.delay)


def _moved(events: pa.Table, kind: str) -> _Moved:
    rows = events.filter(pc.equal(events["kind"], kind))
    return _Moved(rows, _ms(rows, "event_time"), rows["delay"].to_numpy())


def _asked(item: Input, requests: pa.Table) -> npt.NDArray[np.float32]:
    column = requests[item.ref]
    if item.dtype is Dtype.CATEGORY:
        column = pc.index_in(column, pa.array(item.categories))
    values: npt.NDArray[np.float32] = column.to_numpy().astype(np.float32)
    return values


def _ms(table: pa.Table, column: str) -> Longs:
    values: Longs = table[column].cast(pa.int64()).to_numpy()
    return values


def _codes(tables: list[pa.Table], columns: tuple[str, ...]) -> list[Longs]:
    """The same number for the same entity in every table; -1 for one with a null part."""
    words = [pc.binary_join_element_wise(*(table[name] for name in columns), "|") for table in tables]
    distinct = pc.unique(pa.chunked_array([chunk for column in words for chunk in column.chunks])).drop_null()
    return [pc.fill_null(pc.index_in(column, distinct), -1).to_numpy().astype(np.int64) for column in words]


@dataclass(frozen=True, slots=True)
class _Sorted:
    """Events by entity, then time. order: int64[e], positions; place: int64[e], ascending, see `_place`."""

    order: Longs
    place: Longs

    @staticmethod
    def of(entity: Longs, at: Longs) -> _Sorted:
        order = np.lexsort((at, entity))
        return _Sorted(order, _place(entity[order], at[order]))


def _window(events: _Sorted, value: Doubles, wanted: Longs, span: tuple[Longs, Longs]) -> tuple[Doubles, Doubles]:
    """Count and sum of `value` over the events of an entity in (span[0], span[1]]: float64[m] each."""
    running = np.concatenate([[0.0], np.cumsum(value[events.order])])  # whole minutes: exact in float64
    lower, upper = (np.searchsorted(events.place, _place(wanted, at), "right") for at in span)
    nobody = wanted < 0
    return np.where(nobody, 0, upper - lower).astype(np.float64), np.where(nobody, 0.0, running[upper] - running[lower])


def _last(events: _Sorted, wanted: Longs, clock: Longs) -> Longs:
    """Position of the entity's last event at or before the clock, -1 where there is none: int64[m]."""
    found = np.searchsorted(events.place, _place(wanted, clock), "right") - 1
    there = np.maximum(found, 0)
    same = events.place[there] >> TIME_BITS == wanted
    return np.where((found >= 0) & (wanted >= 0) & same, events.order[there], -1)


def _place(entity: Longs, at: Longs) -> Longs:
    """One number that sorts by entity, then time."""
    return (entity << TIME_BITS) + at
