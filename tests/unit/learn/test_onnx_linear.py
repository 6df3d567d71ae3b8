"""A linear learner as ONNX: one graph for all of its states, equal to River."""

import math

import numpy as np
import onnxruntime
import pytest
from weir.core.signature import Task
from weir.learn import linear_river, onnx_linear, river_parts

from tests.unit.learn.streams import LINEAR, LOGISTIC, SCALER, learner, stream, subject


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("task", [Task.BINARY, Task.REGRESSION])
def test_another_state_is_other_arrays_in_the_same_session(task, dtype):
    """As River says it, with missing values and a column that never changes, before the first outcome and later."""
    columns = subject(task).columns
    model = river_parts.made(learner(SCALER, LOGISTIC if task is Task.BINARY else LINEAR, rate=0.01), task)
    linear = linear_river.arrays_of(model, columns)
    session = onnxruntime.InferenceSession(onnx_linear.graph(task, len(columns), dtype).SerializeToString())
    events = stream(task, 2000)
    events.x[:, 1] = 7.0
    x, y = events.x[events.learns], events.y[events.learns]

    def runs(inputs):
        return session.run(None, dict(inputs))[0]

    for begin in range(0, 2000, 500):
        worst = onnx_linear.checked(runs, linear.keep(), task, x, dtype)
        assert worst <= onnx_linear.TOLERANCE[dtype]
        some = slice(begin, begin + 500)
        linear.run(x[some], y[some], np.ones(500, bool), np.empty((500, 1)))
    river = linear_river.river_of(linear, columns)
    rows = x[:200].astype(dtype).astype(np.float64)
    given = [
        {name: value for name, value in zip(columns, row, strict=True) if not math.isnan(value)}
        for row in rows.tolist()
    ]
    said = [river.predict_proba_one(one)[True] if task is Task.BINARY else river.predict_one(one) for one in given]
    found = runs({"x": x[:200].astype(dtype), **onnx_linear.arrays(linear.keep(), dtype)})
    assert np.abs(found - said).max() <= onnx_linear.TOLERANCE[dtype] * max(1.0, np.abs(said).max())


def test_a_graph_that_says_something_else_is_refused():
    task = Task.BINARY
    linear = linear_river.arrays_of(river_parts.made(learner(SCALER, LOGISTIC), task), subject(task).columns)
    with pytest.raises(onnx_linear.Differs, match=r"off by 0\.1, more than 1e-12 as float64"):
        onnx_linear.checked(lambda inputs: np.full(3, 0.6), linear.keep(), task, np.zeros((3, 4)))
