"""Models in ONNX Runtime: any batch size, the padded path of CUDA, silence, and clear refusals."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from weir.core.errors import Refused
from weir.edges.bundles.onnx_model import Blocks, Model
from weir.edges.bundles.onnx_session import CPU, CUDA, cuda_devices

from tests.bundles import SIGNATURE, expected, graph, network, tiny_bundle, weights_of

WIDTH = len(SIGNATURE.inputs)


def rows(n: int) -> np.ndarray:
    return np.random.default_rng(n).normal(0, 2, (n, WIDTH)).astype(np.float32)


def session() -> ort.InferenceSession:
    return ort.InferenceSession(graph(list(weights_of(SIGNATURE))).SerializeToString(), providers=[CPU])


@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 4096, 5000])
def test_a_batch_of_any_size_gives_one_score_a_row(tmp_path: Path, n: int) -> None:
    model = Model(tiny_bundle(tmp_path))
    scores = model.run(rows(n))
    assert scores.shape == (n, 1)
    assert scores.dtype == np.float32
    assert scores[:, 0] == pytest.approx(expected(rows(n)), abs=1e-6)


@pytest.mark.parametrize("n", [1, 4, 5, 16, 17, 40])
def test_padded_batches_score_the_same_and_earlier_rows_do_not_leak(n: int) -> None:
    """The path of CUDA, run on CPU buffers; a batch larger than a block runs in parts."""
    model = Blocks(session(), [1], device="cpu", rows=16)
    first = model.run(rows(40))
    again = model.run(rows(n))
    assert again[:, 0] == pytest.approx(expected(rows(n)), abs=1e-6)
    assert first[:, 0] == pytest.approx(expected(rows(40)), abs=1e-6)  # a result is the caller's own


@pytest.mark.parametrize("n", [1, 7, 64, 65, 1000, 1024, 1025])
def test_a_rows_score_does_not_depend_on_its_batch(tmp_path: Path, n: int) -> None:
    """To the last bit, on either device: what is scored again after a crash says the same."""
    path = tmp_path / "model.onnx"
    path.write_bytes(network(WIDTH, 256, 256).SerializeToString())
    model, whole = Model(path), rows(5000)
    order = np.random.default_rng(n).permutation(len(whole))[:n]
    np.testing.assert_array_equal(model.run(whole[order]), model.run(whole)[order])


def test_rows_may_be_a_view_in_another_order(tmp_path: Path) -> None:
    model = Model(tiny_bundle(tmp_path))
    assert model.run(np.asfortranarray(rows(9))) == pytest.approx(model.run(rows(9)))


def test_another_shape_or_type_is_named(tmp_path: Path) -> None:
    model = Model(tiny_bundle(tmp_path))
    with pytest.raises(ValueError, match=r"float32\[2, 3\].*float32\[n, 4\]"):
        model.run(np.zeros((2, 3), np.float32))
    with pytest.raises(ValueError, match="float64"):
        model.run(np.zeros((2, 4)))  # type: ignore[arg-type]


def test_every_node_is_placed_and_the_reason_is_said(tmp_path: Path) -> None:
    placement = Model(tiny_bundle(tmp_path)).placement
    if cuda_devices():
        assert placement.provider == CUDA
    else:
        assert placement.nodes == {CPU: ("IsNaN", "Where", "Gemm", "Sigmoid")}
        assert str(placement) == f"{CPU} (no CUDA device): 4 nodes on {CPU}"


def test_the_files_own_metadata_is_read(tmp_path: Path) -> None:
    assert Model(tiny_bundle(tmp_path)).metadata["weir.name"] == "tiny-logistic"


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x80\x04}\x94."])
def test_what_is_not_onnx_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(Refused, match="not an ONNX model"):
        Model(path)


def test_a_graph_of_another_shape_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    model = graph([1.0, 2.0])
    model.graph.output.append(onnx.helper.make_tensor_value_info("raw", onnx.TensorProto.FLOAT, [None, 1]))
    path.write_bytes(model.SerializeToString())
    with pytest.raises(Refused, match="one output"):
        Model(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="there is no model"):
        Model(tmp_path / "nothing.onnx")


def test_it_is_silent_and_needs_no_training_library(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from weir.edges.bundles.onnx_model import Model; import numpy as np;"
        "print(Model(pathlib.Path(sys.argv[1])).run(np.zeros((3, 4), np.float32)).tolist());"
        "print([m for m in ('onnx', 'lightgbm', 'pandas', 'sklearn', 'feast', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tiny_bundle(tmp_path))], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["[[0.5], [0.5], [0.5]]", "[]"]
    assert done.stderr == ""
