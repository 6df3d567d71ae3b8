"""A row's score is a function of the row: the same bits in any company, and refused with the reason where it is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper
from weir.core.errors import Refused
from weir.edges.bundles.onnx_model import GROUP_ROWS, Model
from weir.operations import bundles
from weir.settings import Settings, load

K = 4
ROWS = np.random.default_rng(5).normal(0, 1, (300, K)).astype(np.float32)
WEIGHTS = np.array([[0.5], [-0.25], [0.75], [-1.0]], np.float32)


def net(*nodes: onnx.NodeProto, domain: str = "", **constants: Any) -> onnx.ModelProto:
    """x float32[n, 4] -> p float32[n, 1]; W are the weights."""
    tensors = {"W": WEIGHTS, **{name: np.asarray(value) for name, value in constants.items()}}
    body = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, K])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, [None, 1])],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(body, opset_imports=opsets if domain else opsets[:1], ir_version=10)


def node(operator: str, taken: str, given: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, taken.split(), given.split(), **attributes)


def opened(model: onnx.ModelProto, folder: Path) -> Model:
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return Model(folder / "model.onnx")


MATMUL = node("MatMul", "x W", "h")
LINEAR = node(
    "LinearClassifier",
    "x",
    "label both",
    domain="ai.onnx.ml",
    coefficients=[*(-WEIGHTS[:, 0]).tolist(), *WEIGHTS[:, 0].tolist()],
    intercepts=[0.0, 0.0],
    post_transform="LOGISTIC",
    classlabels_ints=[0, 1],
)
ONE = np.array([1], np.int64)
ALONE = {
    "gemm": net(node("Gemm", "x W", "h"), node("Sigmoid", "h", "p")),
    "matmul": net(MATMUL, node("Tanh", "h", "p")),
    "log": net(MATMUL, node("Abs", "h", "a"), node("Log", "a", "p")),
    "softplus": net(MATMUL, node("Softplus", "h", "p")),
    "exp": net(MATMUL, node("Exp", "h", "p")),
    "linear": net(LINEAR, node("Gather", "both one", "p", axis=1), domain="ai.onnx.ml", one=ONE),
}


@pytest.mark.parametrize("kind", ALONE)
def test_a_row_has_the_same_bits_in_batches_of_any_size(kind: str, tmp_path: Path) -> None:
    model = opened(ALONE[kind], tmp_path)
    together = model.run(ROWS)
    assert model.block_rows == GROUP_ROWS
    for size in range(1, 70):
        parts = [model.run(ROWS[start : start + size]) for start in range(0, len(ROWS), size)]
        assert np.array_equal(np.concatenate(parts), together), size
    order = np.random.default_rng(1).permutation(len(ROWS))
    assert np.array_equal(model.run(ROWS[order]), together[order])


MEAN_ROW = node("ReduceMean", "h axes", "m")
MIXING: dict[str, tuple[onnx.ModelProto, Callable[[np.ndarray], np.ndarray], str]] = {
    "softmax": (
        net(MATMUL, node("Softmax", "h", "p", axis=0)),
        lambda h: np.exp(h) / np.exp(h).sum(axis=0),
        "; its graph has Softmax over axis 0",
    ),
    "mean": (
        net(MATMUL, MEAN_ROW, node("Sub", "h m", "p"), axes=np.array([0])),
        lambda h: h - h.mean(axis=0),
        "; its graph has ReduceMean over axis 0",
    ),
    "max": (
        net(MATMUL, node("ReduceMax", "h", "m"), node("Sub", "h m", "p")),
        lambda h: h - h.max(),
        "; its graph has ReduceMax over axis 0",
    ),
    "running-sum": (
        net(MATMUL, node("CumSum", "h zero", "p"), zero=np.array(0)),
        lambda h: h.cumsum(axis=0),
        "; its graph has CumSum over axis 0",
    ),
    "training": (
        net(
            MATMUL,
            node("BatchNormalization", "h s b m v", "p m2 v2", training_mode=1, momentum=0.9),
            s=np.ones(1, np.float32),
            b=np.zeros(1, np.float32),
            m=np.zeros(1, np.float32),
            v=np.ones(1, np.float32),
        ),
        lambda h: (h - h.mean(axis=0)) / np.sqrt(h.var(axis=0) + 1e-5),
        "; its graph has BatchNormalization in the mode of training",
    ),
    "quantised": (
        net(
            node("DynamicQuantizeLinear", "x", "q s z"),
            node("DequantizeLinear", "q s z", "d"),
            node("MatMul", "d W", "p"),
        ),
        lambda h: h,
        "; its graph has DynamicQuantizeLinear, whose scale is that of the batch",
    ),
    "transposed": (
        net(MATMUL, node("Transpose", "h", "t"), node("Softmax", "t", "u", axis=1), node("Transpose", "u", "p")),
        lambda h: np.exp(h) / np.exp(h).sum(axis=0),
        "",
    ),
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "schemas").mkdir()
    return load(home=tmp_path, bundles_dir=tmp_path / "bundles", schemas_dir=tmp_path / "schemas")


def spec(folder: Path, model: onnx.ModelProto, scores: np.ndarray, tolerance: float = 1e-6) -> Path:
    """A specification of a regression over four numbers."""
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    table = pa.table({f"c{i}": ROWS[:, i] for i in range(K)} | {"score": scores.reshape(-1)})
    pq.write_table(table.append_column("label", table["score"]), folder / "rows.parquet")
    (folder / "card.md").write_text("# a card\n")
    inputs = [{"name": f"c{i}", "source": "request", "ref": f"c{i}"} for i in range(K)]
    named = {name: "rows.parquet" for name in ("golden", "baseline")} | {"card": "card.md", "model": "model.onnx"}
    said = {"service": "alone", "name": "alone", "version": "1", "owner": "tests", "tolerance": tolerance, **named}
    said["signature"] = {"task": "regression", "inputs": inputs}
    (folder / "spec.yaml").write_text(yaml.safe_dump(said))
    return folder / "spec.yaml"


@pytest.mark.parametrize("kind", MIXING)
@pytest.mark.parametrize("scored", ["in one batch", "one by one"])
def test_a_model_that_mixes_rows_is_refused_with_the_reason(
    kind: str, scored: str, tmp_path: Path, settings: Settings
) -> None:
    """Whichever way its author took the golden scores."""
    model, batch, found = MIXING[kind]
    raw = ROWS.astype(np.float64) @ WEIGHTS
    scores = batch(raw) if scored == "in one batch" else np.concatenate([batch(row) for row in raw[:, None]])
    tolerance = 0.05 if kind == "quantised" and scored == "in one batch" else 1e-4
    with pytest.raises(Refused, match=r"(depends on the rows beside it: by up to|fails for batches of).*") as refused:
        bundles.build(spec(tmp_path, model, scores, tolerance), settings)
    assert found in str(refused.value)
    assert "in the mode of inference" in str(refused.value)


def test_a_difference_within_the_tolerance_is_a_warning(tmp_path: Path, settings: Settings) -> None:
    """What is left where a sum over the batch moves a score by no more than the last bits."""
    tiny = np.array([1e-4], np.float32)
    model = net(MATMUL, MEAN_ROW, node("Mul", "m tiny", "t"), node("Add", "h t", "p"), axes=np.array([0]), tiny=tiny)
    raw = ROWS.astype(np.float64) @ WEIGHTS
    built = bundles.build(spec(tmp_path, model, raw + 1e-4 * raw.mean(), tolerance=1e-2), settings)
    assert any(line.startswith("a score differs by up to ") for line in built.warnings)
