"""An ONNX graph that is one tree ensemble, with the casts, splits and transforms that exporters put around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from weir.trees import operators, post
from weir.trees.ensemble import Ensemble, Unsupported
from weir.trees.onnx_file import FLOAT, Graph, Node

# Values of a row, and how many of them are transformed: each is written out, 64 in two seconds, and four times as many
# in more than a minute.
OUTPUTS_MAX: Final = 64
Columns = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a graph computes.

    columns: of the model's input, those that the ensemble's features are; None: they are the input's own.
    steps: from the ensemble's sums to the model's outputs.
    """

    ensemble: Ensemble
    columns: Columns | None
    steps: tuple[post.Step, ...]


def plan(graph: Graph, width: int) -> Plan:
    """What the kernel must do. width: columns of the model's input. Raises Unsupported."""
    found = [node for node in graph.nodes if node.operator in operators.OPERATORS and node.domain == "ai.onnx.ml"]
    if len(found) != 1:
        raise Unsupported("it is no tree ensemble" if not found else f"it has {len(found)} tree ensembles")
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise Unsupported(f"it takes {', '.join(graph.inputs)} and gives {', '.join(graph.outputs)}")
    walk = _Walk(graph, width)
    read = operators.read(found[0])
    columns = walk.columns(found[0].inputs[0])
    features = read.ensemble.feature
    if len(features) and features.max() >= len(columns):
        raise Unsupported(f"a node asks for feature {features.max()} of {len(columns)}")
    steps = (*read.steps, *walk.steps(graph.outputs[0], read.output, post.width(read.ensemble.targets, read.steps)))
    if post.widest(read.ensemble.targets, steps) > OUTPUTS_MAX:
        raise Unsupported(f"it has more than {OUTPUTS_MAX} outputs")
    if post.transformed(read.ensemble.targets, steps) > OUTPUTS_MAX:
        raise Unsupported(f"more than {OUTPUTS_MAX} values of a row are transformed")
    same = np.array_equal(columns, np.arange(width))
    return Plan(read.ensemble, None if same else columns, steps)


class _Walk:
    """From the ensemble back to the model's input, and from its output back to the ensemble."""

    def __init__(self, graph: Graph, width: int) -> None:
        self._graph, self._width = graph, width
        self._maker = {output: node for node in graph.nodes for output in node.outputs}
        self._constants = dict(graph.constants)
        self._known: dict[str, Columns] = {}  # of tensors; an exporter may split a matrix into thousands
        for node in graph.nodes:
            if node.operator == "Constant" and isinstance(node.attributes.get("value"), np.ndarray):
                self._constants[node.outputs[0]] = node.attributes["value"]

    def columns(self, name: str) -> Columns:
        """Which columns of the model's input a tensor has, int64."""
        if name not in self._known:
            self._known[name] = self._found(name)
        return self._known[name]

    def _found(self, name: str) -> Columns:
        if name in self._graph.inputs:
            return np.arange(self._width)
        node = self._made(name)
        if node.operator == "Concat" and node.attributes.get("axis") in (1, -1):
            return np.concatenate([self.columns(part) for part in node.inputs])
        if not node.inputs:
            raise Unsupported(f"{node.operator} stands before the trees")
        below = self.columns(node.inputs[0])
        is_same = node.operator == "Identity" or (node.operator == "Cast" and node.attributes.get("to") == FLOAT)
        if is_same or (node.operator == "Reshape" and self._wholes(node, 1).tolist() in _kept(len(below))):
            return below
        if node.operator == "Split" and node.attributes.get("axis", 0) in (1, -1):
            self._known |= zip(node.outputs, self._split(node, below), strict=True)
            return self._known[name]
        if self._takes(node):
            return below[self._wholes(node, 1)]
        raise Unsupported(f"{node.operator} stands before the trees")

    def _takes(self, node: Node) -> bool:
        """Whether an operator takes some of the columns."""
        of_columns = node.operator == "Gather" and node.attributes.get("axis", 0) in (1, -1)
        return node.operator == "ArrayFeatureExtractor" or (of_columns and np.ndim(self._constant(node, 1)) > 0)

    def _split(self, node: Node, below: Columns) -> list[Columns]:
        sizes = self._wholes(node, 1) if len(node.inputs) > 1 else node.attributes.get("split")
        parts = len(node.outputs)
        if sizes is None:
            sizes = np.full(parts, -(-len(below) // parts))
        return np.split(below, np.cumsum(sizes)[:-1])

    def steps(self, name: str, output: str, width: int) -> tuple[post.Step, ...]:
        """What is done from the ensemble's output, of so many columns, to a tensor."""
        nodes: list[Node] = []
        while name != output:
            node = self._made(name)
            nodes.append(node)
            name = next((one for one in node.inputs if one not in self._constants), "")
            if len([one for one in node.inputs if one not in self._constants]) != 1:
                raise Unsupported(f"{node.operator} stands behind the trees")
        steps: list[post.Step] = []
        for node in reversed(nodes):
            step = self._step(node, width)
            if step is not None:
                steps.append(step)
                width = post.width(width, (step,))
        return tuple(steps)

    def _step(self, node: Node, width: int) -> post.Step | None:
        """What an operator does; None where it only renames."""
        found = node.attributes
        step: post.Step | None = None
        match node.operator:
            case "Identity":
                pass
            case "Cast" if found.get("to") == FLOAT:
                pass
            case "Flatten" if found.get("axis", 1) == 1:
                pass
            case "Reshape" if self._wholes(node, 1).tolist() in (*_kept(width), [-1][: width == 1]):
                pass
            case "Sigmoid":
                step = post.Logistic()
            case "Softmax" if found.get("axis", -1) in (1, -1):
                step = post.Softmax()
            case "Add" | "Mul":
                step = (post.Add if node.operator == "Add" else post.Multiply)(self._factors(node, width))
            case _ if self._takes(node):
                step = post.Take(tuple(np.arange(width)[self._wholes(node, 1)].tolist()))
            case _:
                raise Unsupported(f"{node.operator} stands behind the trees")
        return step

    def _factors(self, node: Node, width: int) -> tuple[float, ...]:
        """The constant of an operator of two, for each column or one for all."""
        constant = next(self._constants[name] for name in node.inputs if name in self._constants)
        if constant.dtype != np.float32 or constant.size not in (1, width) or constant.ndim > 2:
            raise Unsupported(f"{node.operator} stands behind the trees with {constant.dtype}{list(constant.shape)}")
        if constant.ndim == 2 and constant.shape[0] != 1:
            raise Unsupported(f"{node.operator} stands behind the trees with {list(constant.shape)}")
        return tuple(constant.reshape(-1).tolist())

    def _made(self, name: str) -> Node:
        node = self._maker.get(name)
        if node is None or node.domain not in ("", "ai.onnx.ml"):
            raise Unsupported(f"{name} comes from {'nowhere' if node is None else node.domain}")
        return node

    def _constant(self, node: Node, at: int) -> npt.NDArray[Any]:
        if len(node.inputs) <= at or node.inputs[at] not in self._constants:
            raise Unsupported(f"{node.operator} takes what is not constant")
        return self._constants[node.inputs[at]]

    def _wholes(self, node: Node, at: int) -> Columns:
        return self._constant(node, at).reshape(-1).astype(np.int64)


def _kept(width: int) -> tuple[list[int], ...]:
    """Shapes by which a matrix of so many columns stays what it is."""
    return [-1, width], [0, width], [0, -1]
