"""Trees that would end ONNX Runtime's process, or that it would never come out of, are refused before it sees them."""

import numpy as np
import onnx
import pytest
from onnx import helper
from weir.core.errors import Refused
from weir.edges.bundles.graph import Graph
from weir.edges.bundles.onnx_model import Model
from weir.trees import descent

from tests import trees

F32 = np.float32


def chained(count):
    """A set of so many categories, as ai.onnx.ml 1 to 4 has it: equalities, one below the other."""
    one = trees.Branch(0, "MEMBER", F32(0), False, tuple(np.arange(1, count + 1, dtype=F32).tolist()))
    one.true, one.false = trees.Leaf({0: F32(1)}), trees.Leaf({0: F32(2)})
    return trees.old([one], 2, 1)


def in_circles():
    """The second node leads back to the first: ONNX Runtime 1.31 opens it."""
    model = trees.old([trees.tree(np.random.default_rng(1), 4, 2, ("LEQ",), lambda _: {0: F32(1)}, special=0)], 2, 1)
    lists = {one.name: one for one in model.graph.node[0].attribute}
    inner = [i for i, mode in enumerate(lists["nodes_modes"].strings) if mode != b"LEAF"]
    lists["nodes_truenodeids"].ints[inner[-1]] = lists["nodes_nodeids"].ints[inner[1]]
    return model


def far_down():
    """TreeEnsemble 5, whose every node has a leaf and the next node."""
    count = descent.DEEPEST + 1
    model = trees.new([trees.tree(np.random.default_rng(1), 2, 2, ("LEQ",), lambda _: {0: F32(1)})], 2, 1)
    lists = {one.name: one for one in model.graph.node[0].attribute}
    ends = {"truenodeids": [0] * count, "trueleafs": [1] * count}
    ends |= {"falsenodeids": [*range(1, count), 1], "falseleafs": [*[0] * (count - 1), 1]}
    for name, numbers in ends.items():
        lists[f"nodes_{name}"].ints[:] = numbers
    return model


DEEP = "more than 8,000 nodes one below the other"
HARMFUL = {"chained": (chained(30_000), DEEP), "circles": (in_circles(), "in circles"), "five": (far_down(), DEEP)}


@pytest.mark.parametrize("name", HARMFUL)
def test_a_model_of_them_is_refused_when_it_is_built_and_when_it_is_opened(name, tmp_path):
    model, says = HARMFUL[name]
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(Refused, match=says):
        Model(tmp_path)
    with pytest.raises(Refused, match=says):
        Graph(model).probe("y")


def test_a_number_that_onnx_runtime_cuts_short_is_refused():
    """It would be the root's own, and a row that comes there would be scored for ever."""
    model = chained(3)
    lists = {one.name: one for one in model.graph.node[0].attribute}
    lists["nodes_falsenodeids"].ints[1] = 1 << 32
    assert "more than 32 bits" in descent.fault(model.SerializeToString())


@pytest.mark.parametrize("place", ["function", "inner graph"])
def test_they_are_found_wherever_they_stand(place):
    model = chained(30_000)
    node = model.graph.node.pop()
    if place == "function":
        model.functions.append(helper.make_function("d", "F", ["x"], ["y"], [node], model.opset_import))
    else:
        inner = helper.make_graph([node], "inner", [], [])
        model.graph.node.append(helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner))
    assert DEEP in descent.fault(model.SerializeToString())


def test_nothing_is_said_of_what_onnx_runtime_opens_or_refuses_by_itself(tmp_path):
    model = chained(descent.DEEPEST - 1)
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    assert Model(tmp_path).run(np.ones((1, 2), F32)) == 1
    lists = {one.name: one for one in model.graph.node[0].attribute}
    lists["nodes_falsenodeids"].ints[0] = 1 << 30
    assert descent.fault(model.SerializeToString()) == ""
    del lists["nodes_nodeids"].ints[5:]
    assert descent.fault(model.SerializeToString()) == ""
    assert descent.fault(onnx.ModelProto().SerializeToString()) == descent.fault(b"TreeEnsemble") == ""
