"""ONNX files with data beside them, and of versions that ONNX Runtime does not know."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import convert_model_to_external_data
from weir.core.errors import Refused
from weir.edges.bundles import model_file
from weir.edges.bundles.onnx_model import Model

from tests.bundles import graph

WEIGHTS = [0.5, -0.25, 0.75, -1.0]
ROWS = np.random.default_rng(3).normal(0, 1, (20, 4)).astype(np.float32)


def save(model: onnx.ModelProto, folder: Path, name: str = "model.onnx") -> Path:
    (folder / name).write_bytes(model.SerializeToString())
    return folder / name


def scores(path: Path) -> np.ndarray:
    read, _ = model_file.read(path)
    inline = save(read, path.parent, "inline.onnx")
    for beside in path.parent.glob("*.data"):
        beside.rename(path.parent / "elsewhere")
    return Model(inline).run(ROWS)


def reference(folder: Path) -> np.ndarray:
    return Model(save(graph(WEIGHTS), folder, "whole.onnx")).run(ROWS)


def test_data_beside_the_file_are_taken_into_it(tmp_path: Path) -> None:
    model = graph(WEIGHTS)
    convert_model_to_external_data(model, location="model.onnx.data", size_threshold=0)
    onnx.save(model, tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx.data").stat().st_size > 0
    assert np.array_equal(scores(tmp_path / "model.onnx"), reference(tmp_path))


def test_data_of_an_inner_graph_are_taken_too(tmp_path: Path) -> None:
    (tmp_path / "weights.data").write_bytes(np.array([2.0], np.float32).tobytes())
    constant = outside(TensorProto(name="two", data_type=TensorProto.FLOAT, dims=[1]), "weights.data")
    inner = helper.make_graph(
        [helper.make_node("Constant", [], ["two"], value=constant), helper.make_node("Mul", ["s", "two"], ["d"])],
        "inner",
        [],
        [helper.make_tensor_value_info("d", TensorProto.FLOAT, [None, 1])],
    )
    same = helper.make_graph(
        [helper.make_node("Identity", ["s"], ["e"])],
        "same",
        [],
        [helper.make_tensor_value_info("e", TensorProto.FLOAT, [None, 1])],
    )
    model = graph(WEIGHTS, names=("x", "s"))
    model.graph.node.append(helper.make_node("If", ["yes"], ["score"], then_branch=inner, else_branch=same))
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    model.graph.output[0].name = "score"
    assert np.array_equal(scores(save(model, tmp_path)), 2 * reference(tmp_path))


def outside(tensor: onnx.TensorProto, location: str, **entries: object) -> onnx.TensorProto:
    """A tensor that says its data are elsewhere."""
    tensor.ClearField("raw_data")
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, str(value)
    return tensor


@pytest.mark.parametrize(
    ("location", "entries", "says"),
    [
        ("../secret", {}, "in '../secret', which is not in its own folder"),
        ("/etc/passwd", {}, "in '/etc/passwd', which is not in its own folder"),
        ("link", {}, "in 'link', which is not in its own folder"),
        ("", {}, "in '', which is not in its own folder"),
        ("gone.data", {}, "in gone.data, which is not there.*: put gone.data, which its exporter wrote too, beside"),
        (".", {}, "in ., which is not there"),
        ("w.data", {"offset": 17}, "w.data has 16 bytes, and tensor weights lies past its end"),
        ("w.data", {"length": 17}, "w.data has 16 bytes, and tensor weights lies past its end"),
        ("w.data", {"offset": 8, "length": 16}, "w.data has 16 bytes"),
        ("w.data", {"offset": -1}, "w.data has 16 bytes"),
        ("w.data", {"length": -1}, "w.data has 16 bytes"),
        ("w.data", {"offset": "some"}, "w.data has 16 bytes"),
    ],
)
def test_data_elsewhere_or_cut_off_are_refused(location: str, entries: dict, says: str, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (tmp_path / "secret").write_bytes(bytes(16))
    (own / "w.data").write_bytes(bytes(16))
    (own / "link").symlink_to(tmp_path / "secret")
    model = graph(WEIGHTS)
    outside(next(tensor for tensor in model.graph.initializer if tensor.name == "weights"), location, **entries)
    with pytest.raises(Refused, match=says):
        model_file.read(save(model, own))


def test_the_same_data_named_a_thousand_times_are_counted_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_file, "MODEL_MAX", 100_000)
    (tmp_path / "w.data").write_bytes(bytes(1000))
    model = graph(WEIGHTS)
    for i in range(1000):
        tensor = TensorProto(name=f"copy{i}", data_type=TensorProto.FLOAT, dims=[250])
        model.graph.initializer.append(outside(tensor, "w.data"))
    with pytest.raises(Refused, match="the model and its data have more than 100000 bytes"):
        model_file.read(save(model, tmp_path))
    monkeypatch.setattr(model_file, "MODEL_MAX", 100)
    with pytest.raises(Refused, match="bytes, more than 100"):
        model_file.read(tmp_path / "model.onnx")


@pytest.mark.parametrize("domain", ["", "ai.onnx.ml"])
def test_newer_operators_are_refused_with_both_versions(domain: str, tmp_path: Path) -> None:
    model = graph(WEIGHTS)
    del model.opset_import[:]
    model.opset_import.extend(
        helper.make_opsetid(name, 99 if name == domain else 3 if name else 18) for name in ("", "ai.onnx.ml")
    )
    with pytest.raises(
        Refused, match=rf"it has opset 99.*, and ONNX Runtime {ort.__version__} reads up to \d+: export"
    ):
        model_file.read(save(model, tmp_path))


def test_a_newer_format_is_marked_as_one_that_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = graph(WEIGHTS)
    model.ir_version = 99
    with pytest.raises(
        Refused, match=rf"IR version 99, and ONNX Runtime {ort.__version__} reads up to \d+: set `model"
    ):
        model_file.read(save(model, tmp_path))
    monkeypatch.setattr(onnx, "IR_VERSION", 99)
    read, said = model_file.read(save(model, tmp_path))
    assert 10 <= read.ir_version < 99
    assert said == [f"IR version 99 written as {read.ir_version}, the newest that ONNX Runtime {ort.__version__} reads"]
    assert np.array_equal(scores(tmp_path / "model.onnx"), reference(tmp_path))
