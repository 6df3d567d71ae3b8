"""What the online store held, hour by hour: the rows from which training sets are joined."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.demo.rolling.state import HOUR_US, VIEWS, RollingState, Update

TIMESTAMP = "event_timestamp"
CREATED = "created"


def history(events: pa.Table, hours_us: Iterable[int]) -> dict[str, pa.Table]:
    """Every update of every view while the clock passes `hours_us`, ascending; the same code as the live worker's.

    events: columns of the contract flight_events. Returns for each view a table of its join keys (string), features
    (float32, null where there is none), `event_timestamp` and `created` (timestamp[us, UTC]; created is the clock hour
    at which the row was written), in that order. A view without a row is an empty table.
    """
    state = RollingState()
    state.add(events)
    updates: dict[str, list[tuple[int, Update]]] = {view: [] for view in VIEWS}
    for hour_us in hours_us:
        for update in state.advance(hour_us):
            updates[update.view].append((hour_us, update))
    return {view: _table(view, state.entities(view), rows) for view, rows in updates.items()}


def clock_hours(first_us: int, last_us: int) -> npt.NDArray[np.int64]:
    """Whole hours from the one at or after `first_us` to the one at or after `last_us`, int64[h] in microseconds.

    >>> (clock_hours(1, 2 * HOUR_US) // HOUR_US).tolist()
    [1, 2]
    """
    begin, end = -(-first_us // HOUR_US), -(-last_us // HOUR_US)
    return np.arange(begin, end + 1, dtype=np.int64) * HOUR_US


def _table(view: str, entities: list[tuple[str, ...]], rows: list[tuple[int, Update]]) -> pa.Table:
    shape, none = VIEWS[view], np.empty(0, np.int64)
    ids = np.concatenate([none, *(update.ids for _, update in rows)])
    values = np.concatenate([np.empty((0, len(shape.features)), np.float32), *(update.values for _, update in rows)])
    event_us = np.concatenate([none, *(update.event_us for _, update in rows)])
    created_us = np.repeat(
        np.array([hour_us for hour_us, _ in rows], np.int64), [len(update.ids) for _, update in rows]
    )
    index = pa.array(ids)
    columns: dict[str, pa.Array] = {}
    for position, name in enumerate(shape.join_keys):
        columns[name] = pa.array([entity[position] for entity in entities], pa.string()).take(index)
    for position, name in enumerate(shape.features):
        columns[name] = pa.array(np.ascontiguousarray(values[:, position]), from_pandas=True)  # NaN becomes null
    for name, micros in ((TIMESTAMP, event_us), (CREATED, created_us)):
        columns[name] = pa.array(micros).cast(pa.timestamp("us", tz="UTC"))
    return pa.table(columns)
