"""On an NVIDIA GPU: what runs there, that it says what the CPU says, and a worker that scores on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper
from weir.edges.bundles.onnx_model import BLOCK_ROWS, Model
from weir.edges.bundles.onnx_session import CPU, CUDA, cuda_devices
from weir.edges.embedded.stack import Stack

from tests import tiny_requests as tiny
from tests.bundles import network
from tests.service_under_test import Service
from tests.waiting import START_S, until

pytestmark = pytest.mark.skipif(not cuda_devices(), reason="needs an NVIDIA GPU and its driver: there is none")

FEATURES = 30


def stump() -> onnx.ModelProto:
    """One tree of one split, and a sigmoid: float32[n, 30] -> float32[n, 1]."""
    tree = helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["raw"],
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_treeids=[0, 0, 0],
        nodes_nodeids=[0, 1, 2],
        nodes_featureids=[3, 0, 0],
        nodes_values=[0.5, 0.0, 0.0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
        nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 0, 0],
        target_treeids=[0, 0],
        target_nodeids=[1, 2],
        target_ids=[0, 0],
        target_weights=[-1.0, 1.0],
    )
    body = helper.make_graph(
        [tree, helper.make_node("Sigmoid", ["raw"], ["score"])],
        "stump",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, FEATURES])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, 1])],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(body, opset_imports=opsets, ir_version=10)


def saved(model: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("n", [1, 64, BLOCK_ROWS, BLOCK_ROWS + 1, 5 * BLOCK_ROWS])
@pytest.mark.parametrize("widths", [(64,), (256, 256), (1024, 1024)])
def test_a_network_runs_there_and_scores_as_on_the_cpu(tmp_path: Path, widths: tuple[int, ...], n: int) -> None:
    """Within the tolerance of golden rows: 1e-6 unless a bundle says otherwise."""
    path = saved(network(FEATURES, *widths), tmp_path)
    model, matrix = Model(path), np.random.default_rng(n).normal(0, 1, (n, FEATURES)).astype(np.float32)
    assert model.placement.provider == CUDA
    assert set(model.placement.nodes) == {CUDA}
    on_cpu = ort.InferenceSession(path, providers=[CPU]).run(None, {"x": matrix})[0].reshape(-1, 1)
    np.testing.assert_allclose(model.run(matrix), on_cpu, rtol=0, atol=1e-6)


def test_trees_stay_on_the_cpu_and_the_reason_is_said(tmp_path: Path) -> None:
    placement = Model(saved(stump(), tmp_path)).placement
    assert placement.provider == CPU
    assert placement.reason == "CUDA has no kernel for TreeEnsembleRegressor"


def test_a_worker_scores_on_it(stack: Stack, tmp_path: Path) -> None:
    service = Service(stack, tmp_path)
    with service.worker() as child:
        service.send_rows(20_000)
        until(service.all_answered, START_S, "20,000 answers")
        assert f"{CUDA} (1 CUDA device(s)): 4 nodes on {CUDA}" in child.log.read_text()
    assert set(service.answered.values()) == {1}
    scores = {(row["source_partition"], row["source_offset"]): row["score"] for row in service.predictions}
    matrix = tiny.matrix(tiny.rows(20_000))
    on_cpu = ort.InferenceSession(service.bundle / "model.onnx", providers=[CPU])
    feed = {on_cpu.get_inputs()[0].name: matrix}
    wanted = on_cpu.run(None, feed)[0].reshape(-1)
    found = np.array([scores[row % 4, row // 4] for row in range(20_000)], np.float32)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)
