"""A learner that is a Hoeffding tree as an ONNX file, of which a bundle can be built: it answers and learns no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from weir.core.errors import Refused
from weir.learn import onnx_tree
from weir.learn.learner import Subject
from weir.learn.model import Model
from weir.learn.river_model import RiverModel

REMEDY = (
    "a river.tree.HoeffdingTreeClassifier with `leaf_prediction: mc`, or HoeffdingTreeRegressor with "
    "`leaf_prediction: mean`, by itself can be written; a linear learner by `weir learners export`"
)


@dataclass(frozen=True, slots=True)
class Tree:
    """The file's content. branches: that it has. off: how far it is from the learner at most."""

    content: bytes
    branches: int
    off: float


def tree_of(model: Model, good: Any, subject: Subject, name: str) -> Tree:
    """The tree as its last good state has it. Raises Refused where it has no exact form, or the file would differ."""
    if not isinstance(model, RiverModel):
        raise Refused(f"learner {name} cannot be written as a tree: a linear model is no tree", remedy=REMEDY)
    model.restore(good)
    try:
        found = onnx_tree.nodes(model, subject)
        content = onnx_tree.graph(found, len(subject.columns)).SerializeToString()
        off = onnx_tree.checked(_session(content), model, found, subject)
    except onnx_tree.NoTree as error:
        raise Refused(f"learner {name} cannot be written as a tree: {error}", remedy=REMEDY) from error
    return Tree(content, sum(node.says is None for node in found), off)


def _session(content: bytes) -> Any:
    import onnxruntime  # noqa: PLC0415 - large, and one option's

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda rows: session.run(None, {"x": rows})[0]
