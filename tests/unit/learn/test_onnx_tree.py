"""A Hoeffding tree as ONNX: it says what River's tree says, or it is refused."""

import numpy as np
import onnx
import onnxruntime
import pytest
from weir.core.signature import Task
from weir.learn import onnx_tree, river_parts
from weir.learn.learner import Part
from weir.learn.river_model import RiverModel

from tests.unit.learn.streams import SCALER, learner, stream, subject

CLASSIFIER, REGRESSOR = "river.tree.HoeffdingTreeClassifier", "river.tree.HoeffdingTreeRegressor"
ADAPTIVE = Part("river.tree.HoeffdingAdaptiveTreeClassifier", {"leaf_prediction": "mc", "seed": 1})
QUICK = {"grace_period": 50, "delta": 1e-3}
EXACT = {
    Task.BINARY: Part(CLASSIFIER, {"leaf_prediction": "mc", **QUICK}),
    Task.MULTICLASS: Part(CLASSIFIER, {"leaf_prediction": "mc", **QUICK}),
    Task.REGRESSION: Part(REGRESSOR, {"leaf_prediction": "mean", **QUICK}),
}


def learned(task, *parts, outcomes=4000):
    model = RiverModel(river_parts.made(learner(*parts), task), subject(task))
    events = stream(task, outcomes)
    x, y = events.x[events.learns].astype(np.float32).astype(float), events.y[events.learns]
    width = 3 if task is Task.MULTICLASS else 1
    model.run(x, y, np.ones(len(x), bool), np.empty((len(x), width)))
    return model, x


@pytest.mark.parametrize("task", list(Task))
def test_a_tree_with_plain_leaves_is_the_same_tree_in_onnx(task):
    """On its thresholds, one float beside them, with values that are missing, and on rows that it has learned."""
    of = subject(task)
    model, x = learned(task, EXACT[task])
    found = onnx_tree.nodes(model, of)
    assert sum(node.says is None for node in found) >= 3
    assert {node.missing_left for node in found if node.says is None} == {True, False}
    made = onnx_tree.graph(found, len(of.columns))
    onnx.checker.check_model(made, full_check=True)
    session = onnxruntime.InferenceSession(made.SerializeToString())

    def runs(rows):
        return session.run(None, {"x": rows})[0]

    assert onnx_tree.checked(runs, model, found, of) <= onnx_tree.TOLERANCE
    said = np.empty((1000, 3 if task is Task.MULTICLASS else 1))
    model.run(x[:1000], np.zeros(1000), np.zeros(1000, bool), said)
    assert np.abs(runs(x[:1000].astype(np.float32)) - said).max() <= 1e-6 * max(1.0, np.abs(said).max())


@pytest.mark.parametrize(
    ("parts", "outcomes", "why"),
    [
        ((Part(CLASSIFIER, QUICK),), 500, "its leaves are nba, and exact are mc"),
        ((SCALER, EXACT[Task.BINARY]), 500, "Pipeline is no Hoeffding tree by itself"),
        (
            (Part("river.tree.HoeffdingAdaptiveTreeClassifier", {"leaf_prediction": "mc", "seed": 1}),),
            500,
            "no Hoeffding tree",
        ),
        ((EXACT[Task.BINARY],), 0, "it has learned nothing yet"),
    ],
)
def test_what_has_no_exact_form_is_refused(parts, outcomes, why):
    model, _ = learned(Task.BINARY, *parts, outcomes=outcomes)
    with pytest.raises(onnx_tree.NoTree, match=why):
        onnx_tree.nodes(model, subject(Task.BINARY))


def test_a_graph_that_says_something_else_is_refused():
    of = subject(Task.BINARY)
    model, _ = learned(Task.BINARY, EXACT[Task.BINARY], outcomes=500)
    with pytest.raises(onnx_tree.NoTree, match="the graph is off by"):
        onnx_tree.checked(lambda rows: np.full((len(rows), 1), 1.5), model, onnx_tree.nodes(model, of), of)
