"""`weir bundle`: build from a specification, check, inspect; each refusal is one line that says what to do."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner
from weir.cli.bundle import cli
from weir.core.errors import Refused
from weir.edges.bundles import spec as bundle_spec
from weir.edges.bundles import store as bundle_store
from weir.settings import load

from tests.bundles import SIGNATURE, tiny_bundle

Spec = Callable[..., Path]


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("WEIR_BUNDLES_DIR", str(tmp_path / "bundles"))
    monkeypatch.setenv("WEIR_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return CliRunner()


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    """A specification around a LightGBM text model; keyword arguments replace entries, None removes one."""
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 3, (500, len(SIGNATURE.inputs))).astype(np.float32)
    labels = (rows[:, 0] > rows[:, 1]).astype(np.float32)
    options = {"objective": "binary", "verbosity": -1, "num_threads": 1, "num_leaves": 4}
    booster = lgb.train(options, lgb.Dataset(rows, labels), 5)
    booster.save_model(tmp_path / "model.txt")
    inputs = {name: rows[:, i] for i, name in enumerate(SIGNATURE.names)}
    scores = booster.predict(rows).astype(np.float32)
    pq.write_table(pa.table(inputs).slice(0, 50), tmp_path / "golden.parquet")
    pq.write_table(pa.table({**inputs, "score": scores, "label": labels}), tmp_path / "baseline.parquet")
    (tmp_path / "card.md").write_text("# a card\n")
    signature = bundle_store.to_plain(bundle_store.read(tiny_bundle(tmp_path / "shape")))["signature"]

    def write(**changes: object) -> Path:
        content = {
            "service": "churn",
            "name": "churn-lightgbm",
            "version": "3",
            "owner": "growth",
            "model": "model.txt",
            "golden": "golden.parquet",
            "baseline": "baseline.parquet",
            "card": "card.md",
            "signature": signature,
            "metrics": {"auc": 0.9},
            **changes,
        }
        path = tmp_path / "bundle-spec.yaml"
        path.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
        return path

    return write


def test_a_lightgbm_model_becomes_a_bundle_that_checks(runner: CliRunner, spec: Spec, tmp_path: Path) -> None:
    built = runner.invoke(cli, ["build", str(spec())], catch_exceptions=False)
    digest = built.output.split()[1]
    assert (tmp_path / "bundles").joinpath(built.output.split()[2]).is_dir()
    checked = runner.invoke(cli, ["check", digest], catch_exceptions=False)
    assert checked.exit_code == 0
    assert "50 within 1e-06" in checked.output
    assert "none are read" in checked.output


def test_inspect_shows_identity_inputs_and_policies(runner: CliRunner, tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path)
    shown = runner.invoke(cli, ["inspect", str(path)], catch_exceptions=False).output
    for word in ("tiny-logistic", path.name, "channel", "category (3)", "0 .. 1000", "reject", "customer, shop?"):
        assert word in shown
    said = json.loads(runner.invoke(cli, ["inspect", path.name[:8], "--json"], catch_exceptions=False).output)
    assert (said["digest"], said["name"], len(said["signature"]["inputs"])) == (path.name, "tiny-logistic", 4)


def test_check_refuses_with_one_message(runner: CliRunner, tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path)
    with (path / "card.md").open("a") as card:
        card.write("!")
    outcome = runner.invoke(cli, ["check", str(path)])
    assert outcome.exit_code == 1
    assert isinstance(outcome.exception, Refused)
    assert str(outcome.exception).startswith("bundle was changed after it was built: card.md differs")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"owner": None}, "lacks owner"),
        ({"colour": "blue"}, "unknown colour"),
        ({"model": "nothing.txt"}, "there is no model file"),
        ({"model": "card.md"}, "neither ONNX nor LightGBM text, and no pickle is ever loaded"),
        ({"model": "model.pkl"}, "neither ONNX nor LightGBM text, and no pickle is ever loaded"),
        ({"model": "fake.onnx"}, "not what its name says"),
        ({"model": "fake.txt"}, "the model cannot be used"),
        ({"golden": "card.md"}, "not a Parquet file"),
        ({"signature": {"inputs": [{"name": "a"}]}}, "signature is not understood"),
        ({"feature_service": "churn_v1"}, "the feature repository was never applied"),
    ],
)
def test_a_wrong_specification_is_refused(spec: Spec, tmp_path: Path, changes: dict[str, object], says: str) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps({"weights": [1.0]}))
    (tmp_path / "fake.onnx").write_bytes(pickle.dumps({"weights": [1.0]}))
    (tmp_path / "fake.txt").write_text("not a model")
    with pytest.raises(Refused, match=says):
        bundle_spec.build(spec(**changes), load(home=tmp_path, bundles_dir=tmp_path / "bundles"))
