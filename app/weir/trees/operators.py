"""ONNX's operators for tree ensembles -> Ensemble, and what they do with its sums.

Source: ONNX operators, ai.onnx.ml: TreeEnsembleClassifier and TreeEnsembleRegressor 1 and 3, TreeEnsemble 5; where
these leave something open, ONNX Runtime, core/providers/cpu/ml/tree_ensemble_aggregator.h and ml_common.h.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from weir.trees.ensemble import MODES, Branches, Ensemble, Floats, Unsupported, uniform
from weir.trees.onnx_file import Node
from weir.trees.post import Add, Complement, Divide, Logistic, Opposite, Softmax, Step

OPERATORS: Final = ("TreeEnsembleClassifier", "TreeEnsembleRegressor", "TreeEnsemble")
AGGREGATES: Final = ("AVERAGE", "SUM", "MIN", "MAX")  # numbered so in TreeEnsemble 5
POSTS: Final = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
NODES_MAX: Final = (
    500_000  # with members of sets: three seconds of laying out; ONNX Runtime takes as long to open such a model
)


@dataclass(frozen=True, slots=True)
class Read:
    """An operator's ensemble. output: which of its outputs has the scores. steps: from sums to these."""

    ensemble: Ensemble
    output: str
    steps: tuple[Step, ...]


def read(node: Node) -> Read:
    """The ensemble of an operator. Raises Unsupported."""
    if node.operator == "TreeEnsemble":
        return _tree_ensemble(node)
    return _classifier(node) if node.operator == "TreeEnsembleClassifier" else _regressor(node)


def _regressor(node: Node) -> Read:
    found = node.attributes
    targets = int(found.get("n_targets", 0))
    base = _floats(found, "base_values")
    ensemble = _flat(found, "target", targets)
    post = _text(found, "post_transform", "NONE")
    if targets == 1 and post in ("LOGISTIC", "SOFTMAX"):
        post = "NONE"  # ONNX Runtime applies PROBIT alone to a single target
    if len(base) not in (0, targets):
        raise Unsupported(f"it has {len(base)} base values for {targets} targets")
    average = _average(_text(found, "aggregate_function", "SUM"), len(ensemble.roots))
    return Read(ensemble, node.outputs[0], (*average, *_base(base), *_post(post)))


def _classifier(node: Node) -> Read:
    found = node.attributes
    classes = max(len(found.get("classlabels_strings", ())), len(found.get("classlabels_int64s", ())))
    base = _floats(found, "base_values")
    post = _text(found, "post_transform", "NONE")
    used = np.unique(found.get("class_ids", np.zeros(0, np.int64)))
    if classes < 2 or not len(used) or used[-1] >= classes:
        raise Unsupported(f"it has {classes} classes, and weights for {len(used)}")
    if classes == 2 and list(used) == [0]:
        return Read(_flat(found, "class", 1), node.outputs[1], _binary(found, base, post))
    if classes == 2 and len(base):
        raise Unsupported("it has two classes with weights, and base values")
    if len(base) not in (0, classes):
        raise Unsupported(f"it has {len(base)} base values for {classes} classes")
    return Read(_flat(found, "class", classes), node.outputs[1], (*_base(base), *_post(post)))


def _binary(found: Mapping[str, Any], base: Floats, post: str) -> tuple[Step, ...]:
    """Two classes of one sum: its weights are those of the second, and say whether they are probabilities."""
    if len(base) > 1:
        raise Unsupported("it has one sum for two classes, and two base values")
    if (_floats(found, "class_weights") >= 0).all():
        return (*_base(base), Complement())
    if post != "LOGISTIC":
        raise Unsupported(f"it has one sum for two classes, of both signs, and post_transform {post}")
    return (*_base(base), Opposite(), Logistic())


def _tree_ensemble(node: Node) -> Read:
    found = node.attributes
    targets = int(found.get("n_targets", 0))
    post = _named(POSTS, int(found.get("post_transform", 0)))
    aggregate = _named(AGGREGATES, int(found.get("aggregate_function", 1)))
    if targets == 1 and post in ("LOGISTIC", "SOFTMAX"):
        post = "NONE"
    values, weights = found["nodes_splits"], found["leaf_weights"]
    if values.dtype != np.float32 or weights.dtype != np.float32:
        raise Unsupported(f"it compares in {values.dtype}")
    n, leaves, listed = len(values), len(weights), found.get("membership_values", np.zeros(0, np.float32))
    _limit(n + len(listed))  # a member takes as long as a node
    mode = np.array(MODES)[found["nodes_modes"].astype(np.int64)]
    start, members = _members(mode, listed)
    missing = found.get("nodes_missing_value_tracks_true", np.zeros(0, np.int64))

    def child(side: str) -> npt.NDArray[np.int64]:
        at, is_leaf = found[f"nodes_{side}nodeids"], found[f"nodes_{side}leafs"] != 0
        _within(at[is_leaf], leaves)
        _within(at[~is_leaf], n)
        numbers: npt.NDArray[np.int64] = np.where(is_leaf, ~at, at)
        return numbers

    branches = Branches(
        feature=found["nodes_featureids"],
        mode=mode,
        value=values,
        missing_true=missing == 1 if len(missing) else np.zeros(n, bool),
        true=child("true"),
        false=child("false"),
        member_start=start,
        members=members,
    )
    roots = found["tree_roots"]
    _within(roots, n)
    _within(found["leaf_targetids"], targets)
    ensemble = Ensemble(
        **uniform(branches),
        roots=roots.astype(np.int32),
        weight_leaf=np.arange(leaves, dtype=np.int32),
        weight_target=found["leaf_targetids"].astype(np.int32),
        weight=weights,
        leaves=leaves,
        targets=targets,
    )
    return Read(ensemble, node.outputs[0], (*_average(aggregate, len(roots)), *_post(post)))


def _members(mode: npt.NDArray[Any], values: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    """Where each node's members begin, and the members: of MEMBER nodes in turn, NaN behind the last of each."""
    ends = np.isnan(values)
    owner = np.cumsum(ends) - ends
    of_nodes = np.flatnonzero(mode == "MEMBER")
    if len(of_nodes) > owner.max(initial=-1) + 1:
        raise Unsupported("a MEMBER node has no values")
    kept = ~ends & (owner < len(of_nodes))
    counts = np.zeros(len(mode), np.int64)
    counts[of_nodes] = np.bincount(owner[kept], minlength=len(of_nodes))
    return np.concatenate([[0], np.cumsum(counts)]), values[kept]


def _flat(found: Mapping[str, Any], kind: str, targets: int) -> Ensemble:
    """The lists of nodes and weights that both operators of ai.onnx.ml 1 to 4 have. kind: "class" or "target"."""
    if wide := [name for name in found if name.endswith("_as_tensor") and len(found[name])]:
        raise Unsupported(f"it has {wide[0]}")
    tree, number = found["nodes_treeids"], found["nodes_nodeids"]
    n = len(tree)
    _limit(n)
    names = [name.decode().removeprefix("BRANCH_") for name in found["nodes_modes"]]
    mode = np.array(names)
    is_leaf = mode == "LEAF"
    if unknown := set(names) - {*MODES[:-1], "LEAF"}:
        raise Unsupported(f"it has nodes of mode {sorted(unknown)[0]}")
    first = np.flatnonzero(np.concatenate([[True], tree[1:] != tree[:-1]]))
    if len(first) != len(np.unique(tree)) or number.min(initial=0) < 0 or tree.min(initial=0) < 0:
        raise Unsupported("nodes of its trees are mixed")
    width = int(number.max(initial=0)) + 1
    key = tree * width + number
    order = np.argsort(key, kind="stable")
    ranked = key[order]
    if (ranked[1:] == ranked[:-1]).any():
        raise Unsupported("two nodes of a tree have one number")

    def find(trees: npt.NDArray[np.int64], numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        wanted = trees * width + numbers
        at = np.minimum(np.searchsorted(ranked, wanted), n - 1)
        if (ranked[at] != wanted).any() or (numbers >= width).any():
            raise Unsupported("a node is named that is not there")
        return order[at]

    inner = ~is_leaf
    renumbered = np.where(is_leaf, ~(np.cumsum(is_leaf) - 1), np.cumsum(inner) - 1)
    missing = found.get("nodes_missing_value_tracks_true", np.zeros(0, np.int64))
    branches = Branches(
        feature=found["nodes_featureids"][inner],
        mode=mode[inner],
        value=_floats(found, "nodes_values")[inner],
        missing_true=(missing == 1)[inner] if len(missing) else np.zeros(int(inner.sum()), bool),
        true=renumbered[find(tree[inner], found["nodes_truenodeids"][inner])],
        false=renumbered[find(tree[inner], found["nodes_falsenodeids"][inner])],
        member_start=np.zeros(int(inner.sum()) + 1, np.int64),
        members=np.zeros(0, np.float32),
    )
    weighed = find(found[f"{kind}_treeids"], found[f"{kind}_nodeids"])
    if not is_leaf[weighed].all():
        raise Unsupported("a node that is no leaf has a weight")
    target = found[f"{kind}_ids"]
    _within(target, targets)
    return Ensemble(
        **uniform(branches),
        roots=renumbered[first].astype(np.int32),
        weight_leaf=(~renumbered[weighed]).astype(np.int32),
        weight_target=target.astype(np.int32),
        weight=_floats(found, f"{kind}_weights"),
        leaves=int(is_leaf.sum()),
        targets=targets,
    )


def _average(name: str, trees: int) -> tuple[Step, ...]:
    if name not in ("SUM", "AVERAGE"):
        raise Unsupported(f"it aggregates by {name}")
    return (Divide(float(trees)),) if name == "AVERAGE" else ()


def _base(values: Floats) -> tuple[Step, ...]:
    return (Add(tuple(map(float, values))),) if len(values) else ()


def _post(name: str) -> tuple[Step, ...]:
    steps: dict[str, tuple[Step, ...]] = {"NONE": (), "LOGISTIC": (Logistic(),), "SOFTMAX": (Softmax(),)}
    if name not in steps:
        raise Unsupported(f"it has post_transform {name}")
    return steps[name]


def _text(found: Mapping[str, Any], name: str, otherwise: str) -> str:
    value = found.get(name)
    return value.decode() if value else otherwise


def _floats(found: Mapping[str, Any], name: str) -> Floats:
    values: Floats = found.get(name, np.zeros(0, np.float32))
    return values


def _named(names: tuple[str, ...], number: int) -> str:
    if not 0 <= number < len(names):
        raise Unsupported(f"it has an aggregate_function or post_transform {number}")
    return names[number]


def _limit(nodes: int) -> None:
    if not 0 < nodes <= NODES_MAX:
        raise Unsupported(f"it has {nodes:,} nodes and members, not 1 to {NODES_MAX:,}")


def _within(numbers: npt.NDArray[np.int64], count: int) -> None:
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < count:
        raise Unsupported(f"it names {int(numbers.max())} of {count}")
