"""A learner stops where it is attacked, at its last good state; and however events are cut, the bits are the same."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from weir.core.signature import Task
from weir.learn import linear_river
from weir.learn.learner import Limits, Part
from weir.learn.model import Broke
from weir.learn.river_model import RiverModel
from weir.learn.river_parts import made
from weir.learn.run import Run

from tests.unit.learn.streams import (
    BAYES,
    LINEAR,
    LOGISTIC,
    SCALER,
    TREE,
    learner,
    lived,
    some,
    stream,
    subject,
)

W = 500
LIMITS = Limits(window=W)


def model_of(task, *model, rate=None):
    of = made(learner(*model, rate=rate), task)
    return linear_river.arrays_of(of, subject(task).columns) or RiverModel(of, subject(task))


def linear(task=Task.BINARY, limits=LIMITS, good=None, rate=0.01):
    last = LINEAR if task is Task.REGRESSION else LOGISTIC
    return Run(model_of(task, SCALER, last, rate=rate), subject(task), limits, good)


def nth_outcome(events, n):
    return int(np.flatnonzero(events.learns)[n])


def stopped(events, guard, task=Task.BINARY, limits=LIMITS, good=2 * W, rate=0.01):
    """Live through events until the guard stops it; it is then as it was after `good` outcomes."""
    run, before = linear(task, limits, rate=rate), linear(task, limits, rate=rate)
    lived(run, events, [100, 1777])
    assert run.stop is not None
    assert (run.stop.guard, run.stop.outcomes) == (guard, good)
    before.take(events.cut(0, nth_outcome(events, good - 1) + 1 if good else 0))
    assert [array.tobytes() for array in run.good.kept] == [array.tobytes() for array in before.good.kept]
    assert np.isfinite(run.good.kept[0]).all()
    return run


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e200])
def test_an_infinite_feature_stops_it_before_it_is_learned(value):
    events = stream(Task.BINARY)
    events.x[nth_outcome(events, 2 * W + 7), 1] = value
    run = stopped(events, "finite")
    assert run.stop.what == f"c1 is {value}"
    assert run.stop.at == events.position(nth_outcome(events, 2 * W + 7))


def test_values_that_vanish_stop_it_and_a_few_that_are_missing_do_not():
    events = stream(Task.BINARY)
    run = linear()
    run.take(events)
    assert run.stop is None
    events.x[nth_outcome(events, 2 * W) :, 3] = np.nan
    run = stopped(events, "missing")
    assert "c3 is missing in 100.0% of a window" in run.stop.what


def test_an_outlier_stops_it():
    events = stream(Task.BINARY)
    events.x[nth_outcome(events, 2 * W + 7), 0] = 1e6
    run = stopped(events, "outlier_sd")
    assert run.stop.evidence["column"] == "c0"
    assert run.stop.evidence["value"] == 1e6
    assert abs(run.stop.evidence["mean"] - 3) < 0.2


@pytest.mark.parametrize(("value", "guard"), [(1e9, "outlier_sd"), (np.inf, "finite"), (np.nan, "finite")])
def test_a_number_that_cannot_have_come_true_stops_it(value, guard):
    events = stream(Task.REGRESSION)
    events.y[nth_outcome(events, 2 * W + 7)] = value
    assert stopped(events, guard, Task.REGRESSION, rate=0.001).stop.evidence["column"] == "outcome"


@pytest.mark.parametrize(("task", "value"), [(Task.BINARY, 1), (Task.BINARY, 0), (Task.REGRESSION, 20)])
def test_a_flood_of_one_class_stops_it(task, value):
    events = stream(task)
    events.y[nth_outcome(events, 2 * W) :] = value
    run = stopped(events, "one_class", task, rate=0.001)
    names = {
        1: "returned came true 500 of 500",
        0: "kept came true 500",
        20: "the number of the outcome before came true",
    }
    assert names[value] in run.stop.what


@pytest.mark.parametrize("task", [Task.BINARY, Task.REGRESSION])
def test_what_is_rare_and_does_not_come_is_no_flood(task):
    """A class, or a number other than 0."""
    events = stream(task)
    rare = np.random.default_rng(3).random(len(events.y)) < 0.002
    run = linear(task, rate=0.001)
    run.take(replace(events, y=rare.astype(float)))
    assert run.stop is None


def test_a_column_that_has_never_changed_has_no_outliers():
    events = stream(Task.BINARY)
    events.x[:, 2] = 0
    events.x[nth_outcome(events, 2 * W + 7), 2] = 5000
    run = linear()
    run.take(events)
    assert run.stop is None


def test_a_flood_of_outcomes_stops_it():
    """Sixty come in an hour."""
    events, limits = stream(Task.BINARY), Limits(window=W, outcomes_per_hour=600)
    run = linear(limits=limits)
    run.take(events)
    assert run.stop is None
    burst = events.at_ms.copy()
    first = nth_outcome(events, 2 * W)
    late = np.flatnonzero(events.learns)[2 * W :]
    burst[late] = burst[first] + np.arange(len(late)) * 100
    events = replace(events, at_ms=burst)
    run = stopped(some(events, np.arange(len(burst)) <= late[W]), "outcomes_per_hour", limits=limits)
    assert run.stop.evidence["outcomes_per_hour"] > 30_000


def test_weights_that_explode_stop_it():
    """A step that is too large for numbers, from the first window on."""
    run = stopped(stream(Task.REGRESSION), "weight", Task.REGRESSION, good=0, rate=0.9)
    assert not run.good.kept[0].any()


def test_weights_are_measured_by_the_unit_of_what_is_learned():
    """Prices in cents, some ten thousand apart: weights are as large."""
    events = stream(Task.REGRESSION)
    run = linear(Task.REGRESSION, rate=0.001)
    run.take(replace(events, y=1000 * events.y))
    assert run.stop is None
    assert np.abs(run.good.kept[0][3]).max() > 1000 > LIMITS.weight


def test_a_model_that_raises_stops_at_its_last_good_state():
    """River's SGTClassifier divides by zero where a column never changes."""
    events = stream(Task.BINARY, 300)
    events.x[:, :] = 1.0
    run = Run(model_of(Task.BINARY, Part("river.tree.SGTClassifier")), subject(Task.BINARY), Limits(window=60))
    said = lived(run, events, [])
    assert run.stop is not None
    assert (run.stop.guard, run.stop.outcomes) == ("model", 60)
    assert "ZeroDivisionError" in run.stop.what
    assert np.isfinite(said[~events.learns]).all()  # it goes on answering


def test_a_stopped_model_that_cannot_answer_raises():
    run = linear()
    events = stream(Task.BINARY, 50)
    events.x[nth_outcome(events, 1), 0] = np.inf
    run.take(events)

    class Dumb:
        def run(self, *_):
            raise Broke(0, ValueError("no"))

    run._model = Dumb()
    with pytest.raises(Broke, match="ValueError: no"):
        run.take(events)


@pytest.mark.parametrize("model", [(SCALER, LOGISTIC), (BAYES,), (TREE,)], ids=["linear", "bayes", "tree"])
def test_answers_know_the_outcomes_alone_that_came_before(model):
    """Row by row in the order of time, each request before the outcomes of its own time."""
    events = stream(Task.BINARY, 600)
    of = RiverModel(made(learner(*model), Task.BINARY), subject(Task.BINARY))
    expected = np.full((len(events.y), 1), np.nan)
    for row in np.lexsort((events.learns, events.at_ms)):
        one = events.cut(row, row + 1)
        of.run(one.x, one.y, one.learns, expected[row : row + 1])
    said = lived(Run(model_of(Task.BINARY, *model), subject(Task.BINARY), LIMITS), events, [1, 333])
    assert np.nanmax(np.abs(said - expected)) < 1e-12
    assert np.isnan(said[events.learns]).all()


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize("model", ["linear", "tree"])
def test_where_events_are_cut_changes_no_bit(task, model):
    """Also not where a guard stops it in the midst."""
    if model == "linear" and task is not Task.MULTICLASS:
        parts = (SCALER, LINEAR if task is Task.REGRESSION else LOGISTIC)
    elif model == "linear":
        parts = (SCALER, Part("river.linear_model.SoftmaxRegression"))
    else:
        parts = (Part("river.tree.HoeffdingTreeRegressor"),) if task is Task.REGRESSION else (TREE,)
    events = stream(task, 1200)
    events.x[nth_outcome(events, 2 * W + 9), 0] = np.inf
    limits = replace(LIMITS, weight=1e9)
    runs = [Run(model_of(task, *parts), subject(task), limits) for _ in range(2)]
    whole = runs[0].take(events)
    ends = [0, 3, nth_outcome(events, W - 1), nth_outcome(events, W), 1501, 2 * W + 900, len(events.y)]
    parts = [runs[1].take(events.cut(begin, end)) for begin, end in pairwise(ends)]
    for name in ("learner", "no_change", "last"):
        cut = np.concatenate([getattr(part, name) for part in parts])
        assert cut.tobytes() == getattr(whole, name).tobytes()
    assert runs[0].stop == runs[1].stop
    assert runs[0].stop.outcomes == 2 * W


def test_baselines_say_the_shares_so_far_and_what_came_last():
    events = stream(Task.MULTICLASS, 300)
    said = Run(model_of(Task.MULTICLASS, TREE), subject(Task.MULTICLASS), LIMITS).take(events)
    known: list[int] = []
    for row in range(len(events.y)):
        if events.learns[row]:
            known.append(int(events.y[row]))
        elif known:
            np.testing.assert_allclose(said.no_change[row], np.bincount(known, minlength=3) / len(known))
            assert said.last[row].tolist() == [float(i == known[-1]) for i in range(3)]
        else:
            assert np.isnan([said.no_change[row], said.last[row]]).all()


def test_events_of_nothing_are_nothing():
    events = stream(Task.BINARY, 5)
    none = replace(events.cut(0, 0), ids=pa.array([], pa.string()))
    assert linear().take(none).learner.shape == (0, 1)
