"""Outcomes of services that there are not: the same arguments give the same ones."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from weir.core.signature import Task
from weir.learn.learner import Learner, Part, Subject
from weir.learn.run import Events, Run

BEGIN_MS = 1_780_000_000_000
TENANTS = ("atlas", "borealis", "cirrus", "delta")
CLASSES = {Task.BINARY: ("kept", "returned"), Task.MULTICLASS: ("letter", "box", "pallet"), Task.REGRESSION: ()}
SCALER = Part("river.preprocessing.StandardScaler")
LOGISTIC, LINEAR = Part("river.linear_model.LogisticRegression"), Part("river.linear_model.LinearRegression")
BAYES, TREE = Part("river.naive_bayes.GaussianNB"), Part("river.tree.HoeffdingTreeClassifier")


def subject(task: Task, columns: int = 4) -> Subject:
    return Subject(task, CLASSES[task], tuple(f"c{i}" for i in range(columns)))


def learner(*model: Part, rate: float | None = None, **more) -> Learner:
    return Learner(name="one", service="returns", model=model, learning_rate=rate, **more)


def stream(task: Task, n: int = 4000, columns: int = 4, seed: int = 1) -> Events:
    """n requests, a minute apart, and their outcomes, each ten minutes to five hours later, in the order of time."""
    chance = np.random.default_rng(seed)
    x = chance.normal(size=(n, columns)) * 10 ** np.arange(columns) + 3
    x[chance.random((n, columns)) < 0.03] = np.nan
    raw = np.nan_to_num((x - 3) / 10 ** np.arange(columns)) @ np.linspace(1.5, -1, columns)
    if task is Task.REGRESSION:
        y = 20 + 5 * raw + chance.normal(size=n)
    elif task is Task.BINARY:
        y = (chance.random(n) < 1 / (1 + np.exp(1 - raw))).astype(float)
    else:
        y = np.digitize(raw + chance.normal(size=n) / 2, [-1, 1]).astype(float)
    served = BEGIN_MS + 60_000 * np.arange(n)
    known = served + chance.integers(600_000, 18_000_000, n)
    at, learns, row = np.r_[served, known], np.r_[np.zeros(n, bool), np.ones(n, bool)], np.r_[0:n, 0:n]
    order = np.lexsort((row, learns, at))
    row = row[order]
    width = 3 if task is Task.MULTICLASS else 1
    champion = np.full((2 * n, width), 1 / width) if task is not Task.REGRESSION else np.full((2 * n, 1), 20.0)
    tenants = pa.array([TENANTS[i % 5 % 4] for i in row])  # the first has two fifths
    return Events(at[order], learns[order], pa.array([f"id-{i:06}" for i in row]), x[row], y[row], champion, tenants)


def some(events: Events, which: np.ndarray) -> Events:
    """Those events that bool[n] says."""
    arrays = (events.at_ms, events.learns, events.ids.to_numpy(zero_copy_only=False), events.x, events.y)
    at, learns, ids, x, y = (array[which] for array in arrays)
    tenants = events.tenants.filter(pa.array(which))
    return Events(at, learns, pa.array(ids, pa.string()), x, y, events.champion[which], tenants)


def lived(run: Run, events: Events, cuts: list[int]) -> np.ndarray:
    """What the learner says of them, cut so."""
    ends = [*cuts, len(events.at_ms)]
    parts = [run.take(events.cut(begin, end)).learner for begin, end in zip([0, *cuts], ends, strict=True)]
    return np.concatenate(parts)
