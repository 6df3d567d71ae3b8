"""False alarms and delays of both channels of drift, on half a year of flights, beside River's detectors alone.

Run as a program: `python -m tests.bench.drifts [--json PATH]`, a minute and a half. A model is trained on what was
known by the end of June and answers from July to December; its outcomes come in the order of arrival. Shuffled, they
hold no change: every alarm is false. A change is planted by calling a flight late from 5 minutes on instead of 15, or
from 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from river import drift
from weir.core.signature import Task
from weir.demo import source
from weir.demo.flights import Flights
from weir.demo.recipe import CUT_MS, PARAMETERS, TREES
from weir.demo.rolling.history import clock_hours, history
from weir.learn import losses
from weir.learn.drift import DAY_MS
from weir.learn.learner import Slow
from weir.learn.watch import Alarms, Watch

from tests.bench.figures import listed, told

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
LATE_MIN = 15.0
PLANTED = ("2013-08-01", "2013-09-01", "2013-10-01", "2013-10-15", "2013-11-01", "2013-12-01")
RIVER: dict[str, Callable[[], Any]] = {"ADWIN": drift.ADWIN, "Page-Hinkley": drift.PageHinkley}


@dataclass(frozen=True, slots=True)
class Half:
    """Outcomes from July on as they arrived: at_ms, chance that was said, minutes late; n each."""

    at_ms: Whole
    said: Floats
    minutes: Floats

    def late(self, least: float = LATE_MIN) -> Floats:
        """float64[n], 1 where late."""
        return (self.minutes >= least).astype(np.float64)


def features(flights: Flights) -> pd.DataFrame:
    """All that is known of a flight at its request, by request: its own inputs, and what was published by then."""
    requests = flights.requests.to_pandas()
    own = requests.drop(columns=["flight_row", "clock_hour", "label", "request_id", "tenant", "team", "event_time"])
    texts = own.select_dtypes(exclude="number").columns
    matrix = own.assign(**{name: pd.factorize(own[name])[0] for name in texts})
    at_ms = flights.events["event_time"].cast(pa.int64()).to_numpy()
    for view, rows in history(flights.events, clock_hours(int(at_ms[0]) * 1000, int(at_ms[-1]) * 1000)).items():
        known = rows.to_pandas().drop(columns="created").sort_values("event_timestamp")
        keys = [name for name in known.columns if name in own.columns]
        asked = requests[["event_time", *keys]].rename(columns={"event_time": "event_timestamp"})
        asked["event_timestamp"] = asked["event_timestamp"].astype(known["event_timestamp"].dtype)
        found = pd.merge_asof(asked, known, on="event_timestamp", by=keys)
        for name in found.columns.difference(asked.columns):
            matrix[f"{view}__{name}"] = found[name].to_numpy()
    return matrix


def half() -> Half:
    """Outcomes of requests from July on, and what a model of the months before says of them."""
    flights = source.make(source.folder(), None)
    matrix = features(flights).to_numpy(np.float32)
    landed_ms = flights.outcomes["occurred_at"].cast(pa.int64()).to_numpy()
    rows, minutes = flights.outcomes["request_row"].to_numpy(), flights.outcomes["observed"].to_numpy()
    asked_ms = flights.requests["event_time"].cast(pa.int64()).to_numpy()[rows]
    known = landed_ms < CUT_MS
    booster = lgb.train(dict(PARAMETERS), lgb.Dataset(matrix[rows[known]], minutes[known] >= LATE_MIN), TREES)
    later = np.flatnonzero(asked_ms >= CUT_MS)
    later = later[np.argsort(landed_ms[later], kind="stable")]
    said = np.asarray(booster.predict(matrix[rows[later]]), np.float64)
    return Half(landed_ms[later], said, minutes[later].astype(np.float64))


def watched(of: Half, y: Floats) -> Alarms:
    """Both channels."""
    watch = Watch(Task.BINARY, Slow())
    watch.take(of.at_ms, of.said[:, None], y)
    return watch.alarms


def alone(make: Callable[[], Any], of: Half, y: Floats) -> list[int]:
    """Outcomes at which one of River's detectors alarms on the log loss."""
    detector, found = make(), []
    for number, value in enumerate(losses.loss(Task.BINARY, of.said[:, None], y).tolist()):
        detector.update(value)
        if detector.drift_detected:
            found.append(number)
    return found


def planted(of: Half, day: str, least: float, *, shuffled: bool, seed: int = 0) -> dict[str, float]:
    """Days until the slow channel finds a change, and outcomes until the fast one does, and alarms of both before it.

    shuffled: what came before is, and its mean is right, so that it holds no change.
    """
    cut_ms = int(np.datetime64(day, "ms").astype(np.int64))
    y, k = np.where(of.at_ms >= cut_ms, of.late(least), of.late()), int(np.searchsorted(of.at_ms, cut_ms))
    if shuffled:
        order = np.arange(len(y))
        order[:k] = np.random.default_rng(seed).permutation(k)
        of = replace(of, said=np.clip((of.said + (y - of.said)[:k].mean())[order], 0.001, 0.999))
        y = y[order]
    found = watched(of, y)
    slow = [one.at_ms for one in found.drifts if one.at_ms > cut_ms]
    fast = [int(np.searchsorted(of.at_ms, one.begin_ms)) - k for one in found.incidents if one.begin_ms >= cut_ms]
    return {
        "days to the drift": (slow[0] - cut_ms) / DAY_MS if slow else float("nan"),
        "drifts before": len(found.drifts) - len(slow),
        "outcomes to the incident": fast[0] if fast else float("nan"),
        "incidents before": len(found.incidents) - len(fast),
    }


def measure() -> dict[str, dict[str, float]]:
    """Everything."""
    of = half()
    order = np.random.default_rng(0).permutation(len(of.said))
    mixed = replace(of, said=of.said[order], minutes=of.minutes[order])
    found: dict[str, dict[str, float]] = {}
    for name, data in (("as they came", of), ("shuffled", mixed)):
        alarms = watched(data, data.late())
        found[name] = {"drifts": len(alarms.drifts), "incidents": len(alarms.incidents)}
        found[name] |= {f"{river} alone": len(alone(make, data, data.late())) for river, make in RIVER.items()}
    for day in PLANTED:
        for least in (5.0, 0.0):
            found[f"late from {least:g} on {day}"] = planted(of, day, least, shuffled=False)
            found[f"the same after shuffled months, {least:g} on {day}"] = planted(of, day, least, shuffled=True)
    return found


def main() -> None:
    """Print the figures, and write them where it is asked for."""
    told(__doc__, measure, lambda name, figures: f"{name:50} {listed(figures)}")


if __name__ == "__main__":
    main()
