"""Small real bundles for tests: a logistic regression over a handful of inputs, in ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
from onnx import TensorProto, helper, numpy_helper
from weir.core.bundle import Bundle
from weir.core.decide import decide, words
from weir.core.features import ServicePlan
from weir.core.signature import Dtype, Input, JoinKey, KeyType, Policy, Signature, Source
from weir.edges.bundles import folder
from weir.edges.bundles import writer as bundle_writer
from weir.edges.bundles.opened import Opened, open_bundle
from weir.edges.bundles.rows import score_columns

SERVICE = "tiny"

SIGNATURE = Signature(
    threshold=0.5,
    join_keys=(JoinKey(name="customer"), JoinKey(name="shop", dtype=KeyType.INT64, required=False)),
    inputs=(
        Input(name="amount", source=Source.REQUEST, ref="amount", low=0.0, high=1000.0),
        Input(name="items", source=Source.REQUEST, ref="items", dtype=Dtype.INT, low=0.0, high=100.0),
        Input(name="gift", source=Source.REQUEST, ref="gift", dtype=Dtype.BOOL, on_missing=Policy.DEFAULT, default=0.0),
        Input(
            name="channel",
            source=Source.REQUEST,
            ref="channel",
            dtype=Dtype.CATEGORY,
            categories=("web", "app", "shop"),
            on_missing=Policy.REJECT,
        ),
    ),
)

WITH_FEATURES = Signature(
    threshold=0.5,
    join_keys=SIGNATURE.join_keys,
    inputs=(
        *SIGNATURE.inputs,
        Input(
            name="customer_recent__spend_7d",
            source=Source.FEATURE,
            ref="customer_recent__spend_7d",
            low=0.0,
            on_missing=Policy.USE,
            on_stale=Policy.USE,
        ),
        Input(
            name="customer_recent__visits_7d",
            source=Source.FEATURE,
            ref="customer_recent__visits_7d",
            on_missing=Policy.DEFAULT,
            on_stale=Policy.DEFAULT,
            default=1.0,
        ),
        Input(
            name="shop_recent__returns_1d",
            source=Source.FEATURE,
            ref="shop_recent__returns_1d",
            on_missing=Policy.REJECT,
            on_stale=Policy.REJECT,
            max_age_s=3600.0,
        ),
    ),
)


def graph(
    weights: Sequence[float] | np.ndarray, bias: float = 0.0, names: tuple[str, str] = ("x", "score")
) -> onnx.ModelProto:
    """sigmoid(x @ weights + bias), NaN counted as 0; float32[n, k] -> float32[n, m], softmax where m is above 1.

    weights: float32[k] or float32[k, m].
    """
    taken, given = names
    column = np.asarray(weights, np.float32).reshape(len(weights), -1)
    nodes = [
        helper.make_node("IsNaN", [taken], ["hole"]),
        helper.make_node("Where", ["hole", "zero", taken], ["whole"]),
        helper.make_node("Gemm", ["whole", "weights", "bias"], ["raw"]),
        helper.make_node("Sigmoid" if column.shape[1] == 1 else "Softmax", ["raw"], [given]),
    ]
    body = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(taken, TensorProto.FLOAT, [None, len(column)])],
        [helper.make_tensor_value_info(given, TensorProto.FLOAT, [None, column.shape[1]])],
        initializer=[
            numpy_helper.from_array(np.zeros(1, np.float32), "zero"),
            numpy_helper.from_array(column, "weights"),
            numpy_helper.from_array(np.array([bias], np.float32), "bias"),
        ],
    )
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def network(*widths: int, seed: int = 5) -> onnx.ModelProto:
    """A dense network, weights at random: Gemm and Relu for each width, one sigmoid; float32[n, k] -> float32[n, 1]."""
    random, nodes, initializers, taken = np.random.default_rng(seed), [], [], "x"
    for i, (width, following) in enumerate(pairwise((*widths, 1))):
        weights = random.normal(0, width**-0.5, (width, following)).astype(np.float32)
        zeros = np.zeros(following, np.float32)
        initializers += [numpy_helper.from_array(weights, f"w{i}"), numpy_helper.from_array(zeros, f"b{i}")]
        last = i == len(widths) - 1
        given = "score" if last else f"a{i}"
        nodes += [
            helper.make_node("Gemm", [taken, f"w{i}", f"b{i}"], [f"h{i}"]),
            helper.make_node("Sigmoid" if last else "Relu", [f"h{i}"], [given]),
        ]
        taken = given
    body = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, widths[0]])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, 1])],
        initializer=initializers,
    )
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def fragile_graph(weights: Sequence[float], column: int) -> onnx.ModelProto:
    """The same scores, but ONNX Runtime raises for a batch in which the column is not within -100 .. 99."""
    model = graph(weights)
    lookups = [
        helper.make_node("Gather", ["x", "column"], ["chosen"], axis=1),
        helper.make_node("Cast", ["chosen"], ["index"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "index"], ["nothing"], axis=0),
        helper.make_node("Add", ["raw", "nothing"], ["total"]),
    ]
    nodes = [*model.graph.node[:-1], *lookups, helper.make_node("Sigmoid", ["total"], ["score"])]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.append(numpy_helper.from_array(np.array([column]), "column"))
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(100, np.float32), "table"))
    return model


def spoken_graph(signature: Signature, *, exported: bool = False) -> onnx.ModelProto:
    """The tiny bundle's scores; of "red" one more before the sigmoid, and an error for "black".

    The signature has one string, behind its other inputs. exported: with a tensor of that name beside the numbers, as
    an exporter gives it, and not with a column of the matrix.
    """
    weights, texts = weights_of(signature)[:-1], signature.names[-1] if exported else "texts"
    model = graph(weights if exported else np.append(weights, 0))
    codes: dict[str, object] = {"keys_strings": ["red", "black"], "values_int64s": [1, 2], "default_int64": 0}
    words = [
        helper.make_node("LabelEncoder", [texts], ["at"], domain="ai.onnx.ml", **codes),
        helper.make_node("Gather", ["more", "at"], ["extra"]),
        helper.make_node("Add", ["raw", "extra"], ["spoken"]),
    ]
    model.graph.input.append(helper.make_tensor_value_info(texts, TensorProto.STRING, [None, 1]))
    model.graph.initializer.append(numpy_helper.from_array(np.array([0, 1], np.float32), "more"))
    nodes = [*model.graph.node[:-1], *words, helper.make_node("Sigmoid", ["spoken"], ["score"])]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    return model


def weights_of(signature: Signature) -> np.ndarray:
    """The weights that `tiny_bundle` gives a signature's columns: float32[k], or [k, m]; alternating in sign."""
    k, m = len(signature.inputs), signature.width
    weights = np.where(np.arange(k) % 2, -0.05, 0.01).astype(np.float32)
    return weights if m == 1 else np.stack([np.roll(weights, i) * (i + 1) for i in range(m)], axis=1)


def expected(matrix: np.ndarray, signature: Signature = SIGNATURE) -> np.ndarray:
    """What a tiny bundle scores: float32[n, k] -> float64[n], or [n, m]."""
    matrix = np.delete(matrix, signature.strings, axis=1)
    raw = np.nan_to_num(matrix.astype(np.float64)) @ np.delete(weights_of(signature), signature.strings, axis=0)
    if signature.width == 1:
        return 1 / (1 + np.exp(-raw))
    odds = np.exp(raw)
    return odds / odds.sum(axis=1, keepdims=True)


def golden_rows(signature: Signature, rows: int) -> np.ndarray:
    """Values that a request can have: float32[n, k]."""
    random = np.random.default_rng(7)
    columns = {
        Dtype.FLOAT: lambda item: random.uniform(0, 3, rows),
        Dtype.INT: lambda item: random.integers(0, 4, rows),
        Dtype.BOOL: lambda item: random.integers(0, 2, rows),
        Dtype.CATEGORY: lambda item: random.integers(0, len(item.categories), rows),
        Dtype.AGE: lambda item: random.uniform(0, 3, rows),
        Dtype.STRING: lambda item: np.arange(rows) % 7,
    }
    return np.column_stack([columns[item.dtype](item) for item in signature.inputs]).astype(np.float32)


def opened_bundle(path: Path, plan: ServicePlan | None = None) -> Opened:
    """A bundle's folder, opened with every check."""
    return open_bundle(folder.read(path), plan)


def tiny_bundle(
    tmp_path: Path,
    signature: Signature = SIGNATURE,
    *,
    service: str = SERVICE,
    version: str = "1",
    feature_service: str = "",
    feature_fingerprint: str = "",
    rows: int = 32,
    model: onnx.ModelProto | None = None,
) -> Path:
    """A bundle under tmp_path / "bundles", digest-named; its folder. model: another graph with the same scores.

    feature_service: "tiny_v1" where the signature reads features and none is named.
    """
    bundle = Bundle(
        service=service,
        name="tiny-logistic",
        version=version,
        owner="tests",
        signature=signature,
        digest="",
        feature_service=feature_service or ("tiny_v1" if signature.of(Source.FEATURE) else ""),
        feature_fingerprint=feature_fingerprint,
        training_from="2013-01-01",
        training_to="2013-06-30",
        training_snapshot="trips@17",
    )
    matrix = golden_rows(signature, rows)
    scores = expected(matrix, signature).astype(np.float32)
    columns = zip(score_columns(signature), scores.reshape(rows, -1).T, strict=True)
    inputs = {name: matrix[:, i] for i, name in enumerate(signature.names)}
    inputs |= {signature.names[i]: [f"word {int(code)}" for code in matrix[:, i]] for i in signature.strings}
    golden = pa.table(inputs | dict(columns))
    decided = decide(signature, scores.reshape(rows, -1)).index
    labels = words(signature, decided) if signature.outputs else pa.array((scores > 0.5).astype(np.float32))
    baseline = golden.append_column("label", labels)
    return bundle_writer.build(
        bundle,
        model or graph(weights_of(signature), names=(signature.input_tensor, signature.output_tensor)),
        golden=golden,
        baseline=baseline,
        card="# tiny\n",
        into=tmp_path / "bundles",
    )


def aside(signature: Signature, columns: Sequence[Sequence[float]]) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Numbers by column as a model takes them: a matrix, and beside it the tables of what float32 does not hold."""
    matrix, tables = np.array(columns, np.float32).T.copy(), {}
    for column in (*signature.doubles, *signature.longs):
        matrix[:, column] = np.arange(len(matrix))
        tables[column] = np.array(columns[column], np.float64 if column in signature.doubles else np.int64)
    return matrix, tables
