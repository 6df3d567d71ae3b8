"""LightGBM -> ONNX, exact for float32 rows.

A tree of LightGBM compares with double thresholds; ONNX's with float32. For a float32 x, `x <= t` is decided alike by t
and by the largest float32 not above t, so thresholds are rounded down. (Rounded to nearest, as converters do, some rows
go the other way: 86 of 166,668 real rows were off, by up to 0.044.)

Source: LightGBM, include/LightGBM/tree.h (NumericalDecision, CategoricalDecision); ONNX operators, ai.onnx.ml,
TreeEnsembleRegressor 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from weir.core.decide import decide
from weir.core.signature import Signature
from weir.edges.bundles.onnx_model import Model

if TYPE_CHECKING:
    import lightgbm as lgb

Node = Mapping[str, Any]
Floats = npt.NDArray[np.float32]

OBJECTIVES = {"binary": "Sigmoid", "regression": "Identity", "multiclass": "Softmax", "multiclassova": "Sigmoid"}
OPSETS = (("", 18), ("ai.onnx.ml", 3))
IR_VERSION = 10
DUMPED_INFINITY = 1e300
ZERO = float(np.float32(1e-35))  # LightGBM's kZeroThreshold


def read(path: Path) -> lgb.Booster:
    """The model of a file of LightGBM's text. Raises ValueError where it is none."""
    import lightgbm as lgb  # noqa: PLC0415 - seconds to import, with all of scikit-learn; most models are ONNX

    try:
        return lgb.Booster(model_file=path)
    except lgb.basic.LightGBMError as error:
        raise ValueError(str(error)) from error


def convert(booster: lgb.Booster, input_tensor: str = "x", output_tensor: str = "score") -> onnx.ModelProto:
    """A booster as an ONNX model float32[n, k] -> float32[n, m]; m is the number of classes, or 1.

    Leaves add up in float32, so scores agree within about 1e-7 per unit of raw score. Categorical splits become a chain
    of equality tests: categories are whole numbers (LightGBM itself would cut off a fraction).
    Raises ValueError for what has no exact form: other objectives, linear trees, zero_as_missing, averaged (random
    forest) output, a sigmoid other than 1.
    """
    model = booster.dump_model()
    name, _, options = str(model.get("objective", "")).partition(" ")
    scaled = name in ("binary", "multiclassova") and "sigmoid:1" not in options.split()
    if name not in OBJECTIVES or scaled or "sqrt" in options.split():
        raise ValueError(
            f"objective {model.get('objective')!r} is not one of binary sigmoid:1, regression, multiclass, "
            "multiclassova sigmoid:1"
        )
    if model.get("average_output"):
        raise ValueError("averaged output (random forest mode) has no sum form")
    classes = booster.num_model_per_iteration()
    ensemble = _Ensemble()
    for number, tree in enumerate(model["tree_info"]):
        ensemble.add_tree(number, tree["tree_structure"], target=number % classes)
    columns = booster.num_feature()
    nodes = [
        helper.make_node(
            "TreeEnsembleRegressor",
            [input_tensor],
            ["raw"],
            domain="ai.onnx.ml",
            n_targets=classes,
            aggregate_function="SUM",
            post_transform="NONE",
            **ensemble.attributes(),
        ),
        helper.make_node(OBJECTIVES[name], ["raw"], [output_tensor]),
    ]
    graph = helper.make_graph(
        nodes,
        "lightgbm",
        [helper.make_tensor_value_info(input_tensor, TensorProto.FLOAT, [None, columns])],
        [helper.make_tensor_value_info(output_tensor, TensorProto.FLOAT, [None, classes])],
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="weir")


@dataclass(frozen=True, slots=True)
class Equality:
    """How far ONNX Runtime's scores are from LightGBM's own on the same rows.

    decision_flips: rows whose decision differs.
    """

    rows: int
    max_abs_diff: float
    decision_flips: int


def compare(booster: lgb.Booster, model: Model, rows: Floats, signature: Signature) -> Equality:
    """Score rows by both. rows: float32[n, k]. signature: by which scores are decided."""
    ours, theirs = model.run(rows), predicted(booster, rows)
    flips = np.count_nonzero(decide(signature, ours).index != decide(signature, theirs.astype(np.float32)).index)
    return Equality(len(rows), float(np.abs(ours - theirs).max(initial=0.0)), int(flips))


def predicted(booster: lgb.Booster, rows: Floats) -> npt.NDArray[np.float64]:
    """LightGBM's own scores, float64[n, m]. rows: float32[n, k]. Raises ValueError where the booster takes others."""
    if rows.shape[1] != booster.num_feature():
        raise ValueError(f"the model has {booster.num_feature()} inputs, and rows have {rows.shape[1]} columns")
    return np.asarray(booster.predict(rows), np.float64).reshape(-1, booster.num_model_per_iteration())


def fuzz(booster: lgb.Booster, rows: Floats, n: int, rng: np.random.Generator) -> Floats:
    """Rows that try an export hard: float32[n, k].

    Real rows with one value put at a threshold of its column or one float32 step beside it, and some values missing,
    zero, tiny, huge or infinite. Columns that were split by category get only whole numbers, known or not, and NaN.
    """
    splits = [node for tree in booster.dump_model()["tree_info"] for node in _splits(tree["tree_structure"])]
    numeric = [node for node in splits if node["decision_type"] == "<="]
    categorical = sorted({int(node["split_feature"]) for node in splits if node["decision_type"] == "=="})
    out = rows[rng.integers(0, len(rows), n)].copy()
    columns = np.array([0, *(int(node["split_feature"]) for node in numeric)])
    thresholds = np.array([0.0, *(float(node["threshold"]) for node in numeric)])
    pick = rng.choice(np.flatnonzero(np.abs(thresholds) < DUMPED_INFINITY), n)
    columns, at = columns[pick], thresholds[pick].astype(np.float32)
    beside = np.nextafter(at, rng.choice(np.array([-np.inf, np.inf], np.float32), n))
    out[np.arange(n), columns] = np.where(rng.random(n) < 0.4, at, beside)
    for strange in (np.nan, np.inf, -np.inf, 0.0, -0.0, 3e38, 1e-40):
        hit = rng.random(out.shape) < 0.01
        hit[:, categorical] = False
        out[hit] = strange
    for column in categorical:
        for unseen in (np.nan, -1.0, 1e6):
            out[rng.random(n) < 0.02, column] = unseen
    return out


def float32_threshold(threshold: float) -> float:
    """The float32 that parts float32 values as LightGBM's double threshold does.

    That is the largest float32 that is not above the double, but around zero: LightGBM reads |x| <= 1e-35 as 0, so no
    such x is at or below a negative threshold, and every such x is at or below a threshold of 0 or more. Its dump
    writes infinity ("everything that is not missing") as 1e300.

    >>> float32_threshold(0.1) <= 0.1, float32_threshold(0.5), float32_threshold(-ZERO) < -ZERO
    (True, 0.5, True)
    """
    if -ZERO <= threshold < 0:
        return float(np.nextafter(np.float32(-ZERO), np.float32(-np.inf)))
    if 0 <= threshold < ZERO:
        return ZERO
    if abs(threshold) >= DUMPED_INFINITY:
        return float(np.copysign(np.inf, threshold))
    with np.errstate(over="ignore"):
        rounded = np.float32(threshold)
    if float(rounded) > threshold:
        rounded = np.nextafter(rounded, np.float32(-np.inf))
    return float(rounded)


class _Ensemble:
    """The flat node and leaf lists that ONNX wants."""

    def __init__(self) -> None:
        self._nodes: list[tuple[int, int, int, str, float, int, int, int]] = []
        self._leaves: list[tuple[int, int, int, float]] = []

    def add_tree(self, tree: int, root: Node, target: int) -> None:
        """Enter one tree, its nodes numbered from 0 at the root. target: the output's column to which it adds."""
        used = 1
        pending = [(root, 0)]
        while pending:
            node, number = pending.pop()
            if "split_feature" not in node:
                self._nodes.append((tree, number, 0, "LEAF", 0.0, 0, 0, 0))
                self._leaves.append((tree, number, target, _leaf(node)))
                continue
            left, right = used, used + 1
            used += 2
            pending += [(node["left_child"], left), (node["right_child"], right)]
            column = int(node["split_feature"])
            if node["decision_type"] == "<=":
                threshold = float(node["threshold"])
                self._nodes.append(
                    (tree, number, column, "BRANCH_LEQ", float32_threshold(threshold), left, right, _missing_left(node))
                )
            elif node["decision_type"] == "==":
                # One test per category; all lead to the same left child, the last failing one to the right.
                categories = [int(category) for category in str(node["threshold"]).split("||")]
                for position, category in enumerate(categories):
                    last = position == len(categories) - 1
                    otherwise = right if last else used
                    self._nodes.append((tree, number, column, "BRANCH_EQ", float(category), left, otherwise, 0))
                    if not last:
                        number = used
                        used += 1
            else:
                raise ValueError(f"split {node['decision_type']!r} has no ONNX form")

    def attributes(self) -> dict[str, Any]:
        """Attributes of TreeEnsembleRegressor."""
        trees, numbers, columns, modes, values, lefts, rights, missing = zip(*self._nodes, strict=True)
        leaf_trees, leaf_numbers, targets, weights = zip(*self._leaves, strict=True)
        return {
            "nodes_treeids": trees,
            "nodes_nodeids": numbers,
            "nodes_featureids": columns,
            "nodes_modes": modes,
            "nodes_values": values,
            "nodes_truenodeids": lefts,
            "nodes_falsenodeids": rights,
            "nodes_missing_value_tracks_true": missing,
            "target_treeids": leaf_trees,
            "target_nodeids": leaf_numbers,
            "target_ids": targets,
            "target_weights": weights,
        }


def _splits(root: Node) -> Iterator[Node]:
    pending = [root]
    while pending:
        node = pending.pop()
        if "split_feature" in node:
            yield node
            pending += [node["left_child"], node["right_child"]]


def _leaf(node: Node) -> float:
    if "leaf_const" in node:
        raise ValueError("linear trees have no ONNX form")
    return float(node["leaf_value"])


def _missing_left(node: Node) -> int:
    """Whether NaN goes left (1) or right (0)."""
    if node["missing_type"] == "NaN":
        return int(node["default_left"])
    if node["missing_type"] == "None":  # LightGBM reads NaN as 0 then
        return int(float(node["threshold"]) >= 0.0)
    raise ValueError("zero_as_missing has no ONNX form")
