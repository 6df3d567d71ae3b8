"""Random tree ensembles as ONNX files, and a plain walk over them, row by row and node by node."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

F32 = np.float32
MODES = ("LEQ", "LT", "GTE", "GT", "EQ", "NEQ", "MEMBER")
COMPARE = {
    "LEQ": operator.le,
    "LT": operator.lt,
    "GTE": operator.ge,
    "GT": operator.gt,
    "EQ": operator.eq,
    "NEQ": operator.ne,
}
STRANGE = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 3.4e38, -3.4e38], F32)


@dataclass
class Leaf:
    """weights: target -> what the leaf adds to it."""

    weights: dict[int, np.float32]


@dataclass
class Branch:
    """A node as ONNX has it."""

    feature: int
    mode: str
    value: np.float32
    missing: bool
    members: tuple[np.float32, ...] = ()
    true: Branch | Leaf = field(default_factory=lambda: Leaf({}))
    false: Branch | Leaf = field(default_factory=lambda: Leaf({}))

    def takes(self, x: np.float32) -> bool:
        """Whether a value goes to the true side."""
        if np.isnan(x) and self.missing:
            return True
        return x in self.members if self.mode == "MEMBER" else bool(COMPARE[self.mode](x, self.value))


Tree = Branch | Leaf


def tree(
    rng: np.random.Generator, leaves: int, features: int, modes: Sequence[str], weigh, special: float = 0.1
) -> Tree:
    """A random tree. weigh: the number of a leaf -> its weights. special: share of strange thresholds."""
    made = 0

    def grow(count: int) -> Tree:
        nonlocal made
        if count == 1:
            made += 1
            return Leaf(weigh(made - 1))
        mode = str(rng.choice(modes))
        whole = mode in ("EQ", "NEQ", "MEMBER")
        value = F32(rng.integers(0, 6)) if whole else F32(np.round(rng.normal(), 1))
        if rng.random() < special:
            value = rng.choice(STRANGE)
        members = tuple({F32(v) for v in rng.integers(-1, 9, rng.integers(1, 6))}) if mode == "MEMBER" else ()
        node = Branch(int(rng.integers(features)), mode, F32(value), bool(rng.random() < 0.5), members)
        split = int(rng.integers(1, count))
        node.true, node.false = grow(split), grow(count - split)
        return node

    return grow(leaves)


def rows(rng: np.random.Generator, trees: Sequence[Tree], features: int, n: int) -> np.ndarray:
    """float32[n, features]: values on thresholds and members and one float beside, strange ones, and others."""
    values = [STRANGE, F32(np.round(rng.normal(size=32), 1)), np.arange(-1, 9, dtype=F32)]
    for node in (node for one in trees for node in branches(one)):
        values.append(np.array([node.value, *node.members], F32))
    near = np.concatenate(values)
    with np.errstate(over="ignore"):
        near = np.concatenate([near, np.nextafter(near, F32(np.inf)), np.nextafter(near, F32(-np.inf))])
    return rng.choice(near, (n, features)).astype(F32)


def branches(node: Tree) -> Iterator[Branch]:
    """The nodes of a tree that are no leaves."""
    if isinstance(node, Branch):
        yield node
        yield from branches(node.true)
        yield from branches(node.false)


def leaf_of(node: Tree, row: np.ndarray) -> Leaf:
    """The leaf that a row reaches, by a plain walk."""
    while isinstance(node, Branch):
        node = node.true if node.takes(row[node.feature]) else node.false
    return node


def sums(trees: Sequence[Tree], matrix: np.ndarray, targets: int) -> np.ndarray:
    """float32[n, targets], added in the order of the trees, in float32."""
    totals = np.zeros((len(matrix), targets), F32)
    for total, row in zip(totals, matrix, strict=True):
        for one in trees:
            for target, weight in leaf_of(one, row).weights.items():
                total[target] = total[target] + weight
    return totals


def old(trees: Sequence[Tree], features: int, targets: int, **attributes) -> onnx.ModelProto:
    """TreeEnsembleRegressor 3. MEMBER becomes a chain of equalities that share their true child."""
    nodes: list[tuple] = []
    weights: list[tuple] = []

    def write(at: int, number: int, node: Tree, free: Iterator[int]) -> None:
        if isinstance(node, Leaf):
            nodes.append((at, number, 0, "LEAF", 0.0, 0, 0, 0))
            weights.extend((at, number, target, float(weight)) for target, weight in node.weights.items())
            return
        true, false = next(free), next(free)
        values = node.members if node.mode == "MEMBER" else (node.value,)
        mode = "BRANCH_EQ" if node.mode == "MEMBER" else f"BRANCH_{node.mode}"
        for i, value in enumerate(values):
            otherwise = false if i == len(values) - 1 else next(free)
            nodes.append((at, number, node.feature, mode, float(value), true, otherwise, int(node.missing)))
            number = otherwise
        write(at, true, node.true, free)
        write(at, false, node.false, free)

    for at, one in enumerate(trees):
        write(at, 0, one, iter(range(1, 1 << 30)))
    names = ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids")
    columns = zip((*names, "missing_value_tracks_true"), zip(*nodes, strict=True), strict=True)
    weighed = zip(("treeids", "nodeids", "ids", "weights"), zip(*weights, strict=True), strict=True)
    return _model(
        "TreeEnsembleRegressor",
        features,
        targets,
        3,
        n_targets=targets,
        **{f"nodes_{name}": list(column) for name, column in columns},
        **{f"target_{name}": list(column) for name, column in weighed},
        **attributes,
    )


def new(trees: Sequence[Branch], features: int, targets: int, **attributes) -> onnx.ModelProto:
    """TreeEnsemble 5, of trees with a branch each and one weight a leaf."""
    nodes: list[list] = []
    leaves: list[tuple[int, float]] = []
    members: list[float] = []

    def write(node: Tree) -> tuple[int, int]:
        """Number and whether it is a leaf."""
        if isinstance(node, Leaf):
            leaves.append(next(iter(node.weights.items())))
            return len(leaves) - 1, 1
        here = len(nodes)
        nodes.append([node.feature, MODES.index(node.mode), node.value, node.missing, 0, 0, 0, 0])
        if node.mode == "MEMBER":
            members.extend((*node.members, np.nan))
        nodes[here][4:6] = write(node.true)
        nodes[here][6:8] = write(node.false)
        return here, 0

    roots = [write(one)[0] for one in trees]
    feature, mode, value, missing, true, true_leaf, false, false_leaf = map(list, zip(*nodes, strict=True))
    more = {"membership_values": _tensor(members)} if members else {}
    return _model(
        "TreeEnsemble",
        features,
        targets,
        5,
        n_targets=targets,
        tree_roots=roots,
        nodes_featureids=feature,
        nodes_modes=numpy_helper.from_array(np.array(mode, np.uint8)),
        nodes_splits=_tensor(value),
        nodes_missing_value_tracks_true=[int(one) for one in missing],
        nodes_truenodeids=true,
        nodes_trueleafs=true_leaf,
        nodes_falsenodeids=false,
        nodes_falseleafs=false_leaf,
        leaf_targetids=[target for target, _ in leaves],
        leaf_weights=_tensor([weight for _, weight in leaves]),
        **more,
        **attributes,
    )


def _tensor(values: Sequence[float]) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, F32))


def _model(operator_type: str, features: int, targets: int, opset: int, **attributes) -> onnx.ModelProto:
    node = helper.make_node(operator_type, ["x"], ["y"], domain="ai.onnx.ml", **attributes)
    graph = helper.make_graph(
        [node],
        "trees",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, features])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, targets])],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def then(model: onnx.ModelProto, operator_type: str, **attributes) -> None:
    """Put an operator behind the model's output."""
    last = model.graph.node[-1]
    last.output[0] = f"before_{operator_type}"
    model.graph.node.append(helper.make_node(operator_type, [last.output[0]], ["y"], **attributes))
