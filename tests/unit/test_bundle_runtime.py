"""What a bundle was built with, what it is served with, and what is done where the two differ."""

import dataclasses
import json

import onnxruntime as ort
import pytest
from structlog.testing import capture_logs
from weir.core.errors import Refused
from weir.core.runtime import Versions, differences
from weir.edges.bundles import checks, folder, runtime
from weir.edges.bundles.onnx_model import Model
from weir.settings import load

from tests.bundles import tiny_bundle


def test_a_bundle_says_what_it_was_built_with_and_on_which_data(tmp_path):
    path = tiny_bundle(tmp_path)
    bundle = folder.read(path).bundle
    assert bundle.built_with == runtime.versions()
    assert bundle.built_with.onnxruntime == ort.__version__
    assert len(bundle.built_with.lock) == 64
    said = Model(path).metadata
    assert json.loads(said["weir.built_with"]) == dataclasses.asdict(bundle.built_with)
    assert (said["weir.version"], said["weir.training"]) == ("1", "2013-01-01/2013-06-30")
    assert (said["weir.training_snapshot"], said["weir.schema"]) == (
        "trips@17",
        checks.schema_hash(bundle.signature),
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"training_snapshot": "trips@18"},
        {"training_to": "2013-07-01"},
        {"version": "2"},
        {"built_with": Versions(onnxruntime="1.0.0")},
    ],
)
def test_a_manifest_that_says_other_than_its_model_is_refused(tmp_path, changed):
    path = tiny_bundle(tmp_path)
    bundle = folder.read(path).bundle
    with pytest.raises(Refused, match=r"model.onnx says weir\.\w+ = "):
        checks.check_graph(path, dataclasses.replace(bundle, **changed), Model(path))


def built_with(version, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(ort, "__version__", version)
        return folder.read(tiny_bundle(tmp_path)).bundle


def test_another_release_is_said_or_refused_by_policy(tmp_path, monkeypatch):
    bundle = built_with("1.2.3", tmp_path, monkeypatch)
    with capture_logs() as logs:
        runtime.hold(bundle, load().scoring.runtime_policy)
    (line,) = logs
    assert f"built with ONNX Runtime 1.2.3, here is {ort.__version__}" in line["event"]
    with pytest.raises(Refused, match=r"built with ONNX Runtime 1\.2\.3, here is .*WEIR_RUNTIME_POLICY=warn"):
        runtime.hold(bundle, load(runtime_policy="refuse").scoring.runtime_policy)


def test_a_patch_of_the_same_release_says_nothing(tmp_path, monkeypatch):
    major, minor, *_ = ort.__version__.split(".")
    bundle = built_with(f"{major}.{minor}.999", tmp_path, monkeypatch)
    with capture_logs() as logs:
        runtime.hold(bundle, "refuse")
    assert logs == []


def test_a_runtime_is_known_by_all_on_which_bits_depend(tmp_path):
    path = tiny_bundle(tmp_path)
    one, two = runtime.of(Model(path)), runtime.of(Model(path, threads=2))
    assert one == runtime.of(Model(path))
    assert one.id != two.id
    assert len(one.id) == 12
    assert differences(json.loads(one.text), json.loads(two.text)) == ["threads 1, here 2"]
