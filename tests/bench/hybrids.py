"""How good the demo's learners of two classes are from July to December, beside the champion, by when they begin.

Run as a program: `python -m tests.bench.hybrids [--json PATH]`, a minute. A learner that begins in January learns from
flights that the champion was trained on, and of which that one says too much; in July it has its half year behind it.
One that begins in July, as in the demo, knows nothing then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from weir.agents.learner import files, made
from weir.demo import project, source
from weir.demo.recipe import CUT_MS, PARAMETERS, TREES
from weir.demo.signature import SIGNATURE
from weir.learn.learner import CHAMPION, LEARNER, Learner
from weir.learn.prequential import ALL, Prequential
from weir.learn.run import Events, Run
from weir.settings import load

from tests.bench.drifts import LATE_MIN, features
from tests.bench.figures import listed, told

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
JANUARY_MS = 0
PAGE = 1 << 16
SLOWER = 0.0003  # a learning rate beside the files'


@dataclass(frozen=True, slots=True)
class Year:
    """Flights with an outcome: asked_ms, landed_ms int64[n]; x by input, late, champion's chance: float64[n]."""

    asked_ms: Whole
    landed_ms: Whole
    x: dict[str, Floats]
    late: Floats
    said: Floats


def year() -> Year:
    """All of it, and what a model of the first half says."""
    flights = source.make(source.folder(), None)
    frame = features(flights)
    rows = flights.outcomes["request_row"].to_numpy()
    asked_ms = flights.requests["event_time"].cast(pa.int64()).to_numpy()[rows]
    landed_ms = flights.outcomes["occurred_at"].cast(pa.int64()).to_numpy()
    late = (flights.outcomes["observed"].to_numpy() >= LATE_MIN).astype(np.float64)
    matrix, known = frame.to_numpy(np.float32)[rows], landed_ms < CUT_MS
    booster = lgb.train(dict(PARAMETERS), lgb.Dataset(matrix[known], late[known]), TREES)
    x = {}
    for one in SIGNATURE.inputs:
        if not one.categories:
            values = frame[one.name].to_numpy(np.float32)[rows].astype(np.float64)
            x[one.name] = values if one.default is None else np.where(np.isnan(values), one.default, values)
    said = np.asarray(booster.predict(matrix), np.float64)
    return Year(asked_ms, np.maximum(landed_ms, asked_ms), x, late, said)


def beside(of: Year, learner: Learner, begin_ms: int) -> dict[str, float]:
    """Its figures from July on, and by how much AUC and log loss are better than the champion's."""
    subject = files.subject(learner, SIGNATURE)
    some = np.flatnonzero(of.asked_ms >= begin_ms)
    parts = [made.logit(of.said) if name == CHAMPION else of.x[name] for name in subject.columns]
    x, y, said = np.column_stack(parts)[some], of.late[some], of.said[some]
    flight = np.tile(np.arange(len(some)), 2)
    learns = np.repeat([False, True], len(some))
    at_ms = np.concatenate([of.asked_ms[some], of.landed_ms[some]])
    order = np.lexsort((flight, learns, at_ms))
    run, figures = (
        Run(made.model_of(learner, subject), subject, learner.guards),
        Prequential(subject, (LEARNER, CHAMPION)),
    )
    for begin in range(0, len(order), PAGE):
        page = order[begin : begin + PAGE]
        which = flight[page]
        events = Events(
            at_ms=at_ms[page],
            learns=learns[page],
            ids=pa.array(which.astype(str)),
            x=x[which],
            y=y[which],
            champion=said[which][:, None],
            tenants=pa.array(np.full(len(page), "airline")),
        )
        answers = run.take(events)
        counted = ~events.learns & (events.at_ms >= CUT_MS)
        each = {LEARNER: answers.learner[counted], CHAMPION: events.champion[counted]}
        figures.take(events.at_ms[counted], each, events.y[counted], answers.known[counted])
    mine, other = (row for row in figures.rows() if row["month"] == ALL)
    found = {name: float(mine[name]) for name in ("auc", "log_loss", "brier")}
    found["AUC better by"] = float(mine["auc"] - other["auc"])
    return found | {"log loss better by": float(other["log_loss"] - mine["log_loss"]), "stopped": float(bool(run.stop))}


def measure() -> dict[str, dict[str, float]]:
    """Everything."""
    of, settings = year(), project.settled(load())
    linear, hybrid = (files.named(settings, name) for name in ("linear", "hybrid"))
    slower = replace(hybrid, learning_rate=SLOWER)
    tried = {"linear": linear, "hybrid": hybrid, f"hybrid, learning rate {SLOWER:g}": slower}
    begins = {"July": CUT_MS, "January": JANUARY_MS}
    return {f"{name}, from {month}": beside(of, one, ms) for name, one in tried.items() for month, ms in begins.items()}


def main() -> None:
    """Print the figures, and write them where it is asked for."""
    told(__doc__, measure, lambda name, figures: f"{name:42} {listed(figures)}")


if __name__ == "__main__":
    main()
