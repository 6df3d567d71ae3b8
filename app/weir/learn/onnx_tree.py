"""A Hoeffding tree of River as an ONNX tree ensemble: the tree as it stands, which learns no more.

Exact are trees whose leaves say the shares of the classes or the mean that they have seen, and whose branches compare a
number; leaves with a naive Bayes or a linear model, branches by category, and scalers before a tree have no exact form.

River compares with double thresholds, the graph with float32: for a float32 x, `x <= t` is decided alike by t and by
the largest float32 that is not above t. Where a value is missing River takes the branch that more rows went, and so
does the graph. Source: river.tree.nodes.branch (NumericBinaryBranch) and ONNX operators, ai.onnx.ml,
TreeEnsembleRegressor 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from weir.core.signature import Task
from weir.learn.learner import Subject
from weir.learn.model import Floats
from weir.learn.river_model import RiverModel

TREES: Final = {"HoeffdingTreeClassifier": "mc", "HoeffdingTreeRegressor": "mean"}  # and the leaves that are exact
BRANCH: Final = "NumericBinaryBranch"
LEAVES: Final = ("LeafMajorityClass", "LeafMean")
TOLERANCE: Final = 1e-6
ROWS: Final = 2000  # that the graph is compared over
OPSETS: Final = (("", 18), ("ai.onnx.ml", 3))
IR_VERSION: Final = 10
Rows = npt.NDArray[np.float32]


class NoTree(ValueError):
    """The model has no exact form as a tree ensemble, or the graph says something else."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a tree.

    column, threshold: of a branch, whose rows go left that are not above it. missing_left: those without a value, too.
    says: of a leaf, float64[m]; None of a branch.
    """

    number: int
    column: int = 0
    threshold: float = 0.0
    left: int = 0
    right: int = 0
    missing_left: bool = False
    says: Floats | None = None


def nodes(model: RiverModel, subject: Subject) -> list[Node]:
    """The nodes of its tree, the root first. Raises NoTree."""
    tree = model.of
    kind = type(tree).__name__
    if tree.__class__.__module__.split(".")[0] != "river" or kind not in TREES:
        raise NoTree(f"{kind} is no Hoeffding tree by itself")
    if (leaves := str(tree.leaf_prediction)) != TREES[kind]:
        raise NoTree(f"its leaves are {leaves}, and exact are {TREES[kind]}: say `leaf_prediction: {TREES[kind]}`")
    if tree._root is None:
        raise NoTree("it has learned nothing yet")
    return list(_walked(tree._root, subject))


def _walked(root: Any, subject: Subject) -> Iterator[Node]:
    todo, next_one = [(root, 0)], 1
    while todo:
        node, number = todo.pop()
        kind = type(node).__name__
        if kind in LEAVES:
            yield Node(number, says=_said(node, subject))
            continue
        if kind != BRANCH:
            raise NoTree(f"one of its branches is a {kind}, and exact are those that compare a number")
        left, right = next_one, next_one + 1
        next_one += 2
        yield Node(
            number,
            column=subject.columns.index(node.feature),
            threshold=node.threshold,
            left=left,
            right=right,
            missing_left=node.most_common_path()[0] == 0,
        )
        todo += [(node.children[0], left), (node.children[1], right)]


def _said(leaf: Any, subject: Subject) -> Floats:
    """What a leaf says: chances of the classes, of two that of the second alone; or a number."""
    if subject.task is Task.REGRESSION:
        return np.array([leaf.stats.mean.get()])
    total = sum(leaf.stats.values())
    if not total > 0:
        raise NoTree("a leaf has seen no outcome")
    labels: tuple[Any, ...] = (True,) if subject.task is Task.BINARY else subject.classes
    return np.array([leaf.stats.get(label, 0.0) / total for label in labels])


def graph(found: list[Node], columns: int) -> Any:
    """x float32[n, k] -> y float32[n, m]. Raises ImportError without onnx."""
    from onnx import TensorProto, helper  # noqa: PLC0415 - an extra, which a worker does without

    says = {node.number: node.says.tolist() for node in found if node.says is not None}
    leaves = [(number, i, each) for number, all_of in says.items() for i, each in enumerate(all_of)]
    width = max(i for _, i, _ in leaves) + 1
    ensemble = helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        n_targets=width,
        nodes_treeids=[0] * len(found),
        nodes_nodeids=[node.number for node in found],
        nodes_featureids=[node.column for node in found],
        nodes_modes=["BRANCH_LEQ" if node.says is None else "LEAF" for node in found],
        nodes_values=[_below(node.threshold) for node in found],
        nodes_truenodeids=[node.left for node in found],
        nodes_falsenodeids=[node.right for node in found],
        nodes_missing_value_tracks_true=[int(node.missing_left) for node in found],
        target_treeids=[0] * len(leaves),
        target_nodeids=[number for number, _, _ in leaves],
        target_ids=[i for _, i, _ in leaves],
        target_weights=[each for _, _, each in leaves],
    )
    of = helper.make_tensor_value_info
    made = helper.make_graph(
        [ensemble],
        "hoeffding_tree",
        [of("x", TensorProto.FLOAT, [None, columns])],
        [of("y", TensorProto.FLOAT, [None, width])],
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS]
    return helper.make_model(made, opset_imports=opsets, ir_version=IR_VERSION)


def _below(threshold: float) -> float:
    """The largest float32 that is not above it."""
    near = np.float32(threshold)
    return float(near if float(near) <= threshold else np.nextafter(near, np.float32(-np.inf)))


def rows(found: list[Node], columns: int) -> Rows:
    """Rows that try the graph hard, float32[n, k]: on its thresholds, one float above and below, and without values."""
    chance = np.random.default_rng(1)
    made = np.zeros((ROWS, columns), np.float32)
    for column in range(columns):
        mine = [_below(node.threshold) for node in found if node.says is None and node.column == column]
        cuts = np.array(mine or [0.0])
        at = cuts[chance.integers(0, len(cuts), ROWS)].astype(np.float32)
        steps = [np.nextafter(at, np.float32(-np.inf)), at, np.nextafter(at, np.float32(np.inf))]
        made[:, column] = np.choose(chance.integers(0, 3, ROWS), steps)
    made[chance.random(made.shape) < 0.05] = np.nan
    return made


def checked(runs: Callable[[Rows], npt.NDArray[Any]], model: RiverModel, found: list[Node], subject: Subject) -> float:
    """How far the graph is from the tree at most; of numbers above 1 as a share of the largest that it says.

    runs: the session, float32[n, k] -> [n, m]. Raises NoTree beyond TOLERANCE.
    """
    x = rows(found, len(subject.columns))
    given = np.asarray(runs(x), np.float64)
    said = np.full(given.shape, np.nan)
    model.run(x.astype(np.float64), np.zeros(len(x)), np.zeros(len(x), bool), said)
    apart = np.abs(given - said) / max(1.0, float(np.abs(said).max(initial=0.0)))
    worst = float(apart.max(initial=0.0)) if np.isfinite(apart).all() else float("inf")
    if worst > TOLERANCE:
        raise NoTree(f"the graph is off by {worst:g}, more than {TOLERANCE:g}")
    return worst
