"""A model whose answer is the last digit of each input: numbers of more digits than float32 has, or it is another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from onnx import TensorProto, helper, numpy_helper
from weir.edges.bundles import folder
from weir.edges.bundles.opened import Opened
from weir.operations import bundles
from weir.settings import load

from tests.bundles import opened_bundle

LONG, INT, DOUBLE, FLOAT = TensorProto.INT64, TensorProto.INT32, TensorProto.DOUBLE, TensorProto.FLOAT
ACCOUNTS = [2**60 + 7, 2**53 + 1, -(2**60) - 3, 2**63 - 1, -(2**63), 16_777_217, 0, 5]
RATIOS = [0.1234567890, 0.1234567891, 0.5, 1e-12, 0.9999999999, 0.1, 0.3, 0.7]


def tail_of(name: str, into: str, kind: int) -> list[onnx.NodeProto]:
    """The last digit of whole numbers, or the tenth digit and those behind it, as float32."""
    if kind in (LONG, INT):
        nodes = [helper.make_node("Mod", [name, f"ten_{kind}"], [f"{into}_digit"])]
    else:
        nodes = [
            helper.make_node("Mul", [name, "nine"], [f"{into}_moved"]),
            helper.make_node("Floor", [f"{into}_moved"], [f"{into}_floor"]),
            helper.make_node("Sub", [f"{into}_moved", f"{into}_floor"], [f"{into}_digit"]),
        ]
    return [*nodes, helper.make_node("Cast", [f"{into}_digit"], [into], to=FLOAT)]


def model(*inputs: tuple[str, int, int]) -> onnx.ModelProto:
    """Inputs by name, type and width -> the sum of the tails of all their columns."""
    nodes, parts = [], []
    for name, kind, width in inputs:
        if kind == FLOAT:
            parts.append(name)
            continue
        nodes += tail_of(name, f"tail_{name}", kind)
        parts.append(f"tail_{name}")
        if width > 1:
            nodes.append(helper.make_node("ReduceSum", [parts.pop(), "columns"], [f"sum_{name}"], keepdims=1))
            parts.append(f"sum_{name}")
    nodes.append(helper.make_node("Sum", parts, ["score"]))
    constants = [
        numpy_helper.from_array(np.array([10], np.int64), f"ten_{LONG}"),
        numpy_helper.from_array(np.array([10], np.int32), f"ten_{INT}"),
        numpy_helper.from_array(np.array([1e9]), "nine"),
        numpy_helper.from_array(np.array([1]), "columns"),
    ]
    taken = [helper.make_tensor_value_info(name, kind, [None, width]) for name, kind, width in inputs]
    given = [helper.make_tensor_value_info("score", FLOAT, [None, 1])]
    graph = helper.make_graph(nodes, "tails", taken, given, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def digit(numbers: list[int]) -> np.ndarray:
    return np.array([number % 10 for number in numbers], np.float32)


def tails(numbers: list[float]) -> np.ndarray:
    moved = np.array(numbers) * 1e9
    return (moved - np.floor(moved)).astype(np.float32)


def rows() -> pa.Table:
    """Inputs of `of_every_type` as a caller writes them."""
    counts, amounts = [2**31 - 1, -(2**31), 16_777_217, 0, 1, 2, 3, 4], np.arange(8, dtype=np.float32) / 4
    columns = {"amount": amounts, "account": ACCOUNTS, "ratio": RATIOS, "count": pa.array(counts, pa.int32())}
    return pa.table(columns)


def answers(given: pa.Table) -> np.ndarray:
    """What the model says of them, float32[n]."""
    whole = digit(given["account"].to_pylist()) + digit(given["count"].to_pylist())
    return given["amount"].to_numpy() + whole + tails(given["ratio"].to_pylist())


def of_every_type() -> onnx.ModelProto:
    """One input for each column: float32, int64, float64 and int32."""
    return model(("amount", FLOAT, 1), ("account", LONG, 1), ("ratio", DOUBLE, 1), ("count", INT, 1))


def bundle(into: Path, service: str) -> Opened:
    """Its bundle, built from a specification as a user would write it."""
    (into / "schemas").mkdir()
    settings = load(home=into / "home", bundles_dir=into / "bundles", schemas_dir=into / "schemas")
    onnx.save(of_every_type(), into / "model.onnx")
    golden = rows().append_column("score", pa.array(answers(rows())))
    pq.write_table(golden, into / "golden.parquet")
    pq.write_table(golden.append_column("label", golden["score"]), into / "baseline.parquet")
    (into / "card.md").write_text("# Tails\n")
    dtypes = {"amount": "float", "account": "int", "ratio": "double", "count": "int"}
    inputs = [{"name": name, "source": "request", "ref": name, "dtype": dtype} for name, dtype in dtypes.items()]
    files = {"model": "model.onnx", "golden": "golden.parquet", "baseline": "baseline.parquet", "card": "card.md"}
    said = {"service": service, "name": "tails", "version": "1", "owner": "tests", "tolerance": 1e-5, **files}
    spec = said | {"signature": {"task": "regression", "inputs": inputs}}
    (into / "bundle.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
    return opened_bundle(folder.find(bundles.build(into / "bundle.yaml", settings)[0], settings))
