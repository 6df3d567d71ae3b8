"""Faults that are planted into the replay: a feed that changes its unit, and outcomes that come to mean something else.

What is planted is in the stream itself, for every service and for the demo's own checks: only how it is noticed counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from weir.core.arrow import replaced
from weir.core.errors import Refused
from weir.demo.flights import Flights

Doubles = npt.NDArray[np.float64]

FEATURE, LABEL = "feature", "label"
FROM, TO = datetime(2013, 7, 1, tzinfo=UTC), datetime(2014, 1, 1, tzinfo=UTC)
KM_A_MILE: Final = 1.609344
# Weather that stays within what requests may have when its feed goes over to another unit, and how it goes over.
UNITS: Final[dict[str, tuple[str, Callable[[Doubles], Doubles]]]] = {
    "temp": ("degrees C", lambda f: (f - 32) / 1.8),
    "dewp": ("degrees C", lambda f: (f - 32) / 1.8),
    "humid": ("share", lambda percent: percent / 100),
    "wind_dir": ("radians", np.radians),
    "wind_speed": ("km/h", lambda mph: mph * KM_A_MILE),
    "wind_gust": ("km/h", lambda mph: mph * KM_A_MILE),
}
FIRST_MIN: Final = 1.0  # the flight that a planted label calls late: from its first minute on
EXAMPLES: Final = "feature:temp@2013-10-01 or label@2013-11-01"


@dataclass(frozen=True, slots=True)
class Plant:
    """One fault. kind: FEATURE or LABEL. name: of the feature in the feed; empty for labels. since: UTC."""

    kind: str
    name: str
    since: datetime

    @classmethod
    def of(cls, text: str) -> Plant:
        """As --plant says it. Raises Refused with what can be said.

        >>> str(Plant.of("feature:temp@2013-10-01"))
        'feature:temp@2013-10-01'
        """
        what, _, day = text.partition("@")
        kind, _, name = what.partition(":")
        if kind not in (FEATURE, LABEL) or (kind == LABEL) != (name == ""):
            raise Refused(f"{text!r} is no fault to plant", where="--plant", remedy=f"write {EXAMPLES}")
        if kind == FEATURE and name not in UNITS:
            what = f"the feed of {name} cannot be broken"
            raise Refused(what, where="--plant", remedy=f"name one of {', '.join(UNITS)}")
        try:
            since = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            raise Refused(f"{day!r} is no day", where="--plant", remedy=f"write {EXAMPLES}") from None
        if not FROM <= since < TO:
            remedy = f"name a day from {FROM:%Y-%m-%d} to before {TO:%Y-%m-%d}"
            raise Refused(f"{day} is not replayed", where="--plant", remedy=remedy)
        return cls(kind, name, since)

    def __str__(self) -> str:
        return f"{self.kind}{self.name and ':'}{self.name}@{self.since:%Y-%m-%d}"

    @property
    def means(self) -> str:
        """In words, what is different from then on."""
        if self.kind == FEATURE:
            return f"{self.name} comes in {UNITS[self.name][0]}"
        return "a flight is called late from its first minute"

    @property
    def input(self) -> str:
        """The model's input that is broken; empty where it is the labels."""
        return f"origin_weather__{self.name}" if self.kind == FEATURE else ""


def into(flights: Flights, plants: Sequence[Plant]) -> Flights:
    """The flights with these faults in them."""
    for plant in plants:
        if plant.kind == FEATURE:
            flights = replace(flights, events=_broken(flights.events, plant))
        else:
            flights = replace(flights, outcomes=_relabelled(flights.outcomes, plant))
    return flights


def _broken(events: pa.Table, plant: Plant) -> pa.Table:
    """Only weather has these columns, other events have null there."""
    came = events[plant.name].to_numpy()
    broken = np.where(_since(events["event_time"], plant), UNITS[plant.name][1](came), came)
    return replaced(events, plant.name, pa.array(broken, pa.float64(), from_pandas=True))


def _relabelled(outcomes: pa.Table, plant: Plant) -> pa.Table:
    late = outcomes["observed"].to_numpy() >= FIRST_MIN
    changed = pc.if_else(pa.array(late), "1", "0")
    labels = pc.if_else(pa.array(_since(outcomes["occurred_at"], plant)), changed, outcomes["label"].combine_chunks())
    return replaced(outcomes, "label", labels)


def _since(times: pa.ChunkedArray, plant: Plant) -> npt.NDArray[Any]:
    return np.asarray(times.cast(pa.int64()).to_numpy() >= 1000 * plant.since.timestamp())
