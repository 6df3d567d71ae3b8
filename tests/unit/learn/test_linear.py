"""The compiled model is River's: the same numbers, whatever the batches, and one becomes the other at any moment."""

from itertools import pairwise

import numpy as np
import pytest
from weir.core.signature import Task
from weir.learn import linear_river
from weir.learn.learner import Part
from weir.learn.river_model import RiverModel
from weir.learn.river_parts import made

from tests.unit.learn.streams import LINEAR, LOGISTIC, SCALER, learner, some, stream, subject

OF = {Task.BINARY: LOGISTIC, Task.REGRESSION: LINEAR}


def both(task, rate=0.003, columns=4):
    of = subject(task, columns)
    model = made(learner(SCALER, OF[task], rate=rate), task)
    return RiverModel(model, of), linear_river.arrays_of(made(learner(SCALER, OF[task], rate=rate), task), of.columns)


def answers(model, events):
    out = np.full((len(events.x), 1), np.nan)
    model.run(events.x, events.y, events.learns, out)
    return out


@pytest.mark.parametrize(("task", "n"), [(Task.BINARY, 100_000), (Task.REGRESSION, 10_000)])
def test_it_learns_what_river_learns(task, n):
    """n outcomes, and some requests in between; some values are missing, and one column never changes."""
    events = stream(task, n, columns=3)
    events = some(events, events.learns | (np.arange(2 * n) % 16 == 0))
    events.x[:, 2] = 0.24
    by_row, compiled = both(task, columns=3)
    assert np.nanmax(np.abs(answers(by_row, events) - answers(compiled, events))) < 1e-12
    again = linear_river.arrays_of(by_row.of, subject(task, 3).columns)
    scale = np.maximum(np.abs(again.state), 1)
    assert (np.abs(again.state - compiled.state) / scale).max() < 1e-12
    assert np.abs(again.numbers - compiled.numbers).max() < 1e-12


@pytest.mark.parametrize("task", OF)
def test_where_batches_end_changes_no_bit(task):
    events = stream(task, 3000)
    whole, cut = both(task)[1], both(task)[1]
    said = answers(whole, events)
    ends = [0, 1, 2, 700, 701, 2048, 5999, 6000]
    parts = [answers(cut, events.cut(begin, end)) for begin, end in pairwise(ends)]
    assert np.concatenate(parts).tobytes() == said.tobytes()
    assert (cut.state.tobytes(), cut.numbers.tobytes()) == (whole.state.tobytes(), whole.numbers.tobytes())


@pytest.mark.parametrize("task", OF)
def test_it_becomes_river_and_back_in_the_midst_of_learning(task):
    events, columns = stream(task, 2000), subject(task).columns
    straight, early = both(task)[1], both(task)[1]
    answers(straight, events)
    answers(early, events.cut(0, 1500))
    as_river = linear_river.river_of(early, columns)
    back = linear_river.arrays_of(as_river, columns)
    assert back.state.tobytes() == early.state.tobytes()
    assert back.numbers.tobytes() == early.numbers.tobytes()
    answers(RiverModel(as_river, subject(task)), events.cut(1500, 4000))
    after = linear_river.arrays_of(as_river, columns)
    assert np.abs(after.state - straight.state).max() / np.abs(straight.state).max() < 1e-12


@pytest.mark.parametrize(
    "model",
    [
        (LOGISTIC,),
        (SCALER, Part(LOGISTIC.path, {"l2": 0.1})),
        (SCALER, Part(LOGISTIC.path, {"optimizer": Part("river.optim.Adam")})),
        (SCALER, Part(LOGISTIC.path, {"loss": Part("river.optim.losses.Log", {"weight_pos": 2})})),
        (Part(SCALER.path, {"window_size": 10}), LOGISTIC),
        (Part("river.preprocessing.MinMaxScaler"), LOGISTIC),
    ],
)
def test_what_is_another_model_is_left_to_river(model):
    assert linear_river.arrays_of(made(learner(*model), Task.BINARY), subject(Task.BINARY).columns) is None


def test_rows_that_do_not_fit_are_refused():
    events = stream(Task.BINARY, 10)
    with pytest.raises(ValueError, match="do not fit a state of 3"):
        answers(both(Task.BINARY, columns=3)[1], events)
