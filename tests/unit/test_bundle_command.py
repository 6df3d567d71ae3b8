"""`weir bundle`: build from a specification, check, list, inspect, contract; each refusal is one line."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import lightgbm as lgb
import numpy as np
import onnx
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from onnx import TensorProto, helper
from typer.testing import CliRunner
from weir.cli.bundle import cli
from weir.core.errors import Refused
from weir.core.features import ServicePlan, ViewPlan
from weir.core.signature import Dtype, Input, Policy, Source, Task
from weir.edges.bundles import folder, manifest, text
from weir.edges.bundles.example import SPEC
from weir.edges.features import plan as feature_plan
from weir.operations import bundles, serving
from weir.operations.rehearsal import rehearse
from weir.settings import Settings, load

from tests.bundles import (
    SIGNATURE,
    WITH_FEATURES,
    golden_rows,
    graph,
    opened_bundle,
    spoken_graph,
    tiny_bundle,
    weights_of,
)
from tests.command_line import cli as whole

Spec = Callable[..., Path]
NAMES = list(SIGNATURE.names)
BAD_CARD = "# Kürze\n".encode("latin-1")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "schemas").mkdir()
    return load(home=tmp_path, bundles_dir=tmp_path / "bundles", schemas_dir=tmp_path / "schemas")


@pytest.fixture
def runner(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("WEIR_HOME", str(tmp_path))
    monkeypatch.setenv("WEIR_SCHEMAS_DIR", str(tmp_path / "schemas"))
    monkeypatch.setenv("COLUMNS", "80")
    return CliRunner()


def plain(signature=SIGNATURE) -> dict:
    """A signature as a specification has it."""
    found = json.loads(json.dumps(signature.to_dict()))
    del found["input_tensor"], found["output_tensor"]
    return found


def trained(folder_: Path, names: list[str] | None = None, n: int = 500) -> tuple[lgb.Booster, np.ndarray, np.ndarray]:
    """A small booster as model.txt, its rows and labels."""
    rows = golden_rows(SIGNATURE, n)
    labels = (rows[:, 0] > rows[:, 1]).astype(np.float32)
    options = {"objective": "binary", "verbosity": -1, "num_threads": 1, "num_leaves": 4, "min_data_in_leaf": 5}
    booster = lgb.train(options, lgb.Dataset(rows, labels, feature_name=names or "auto"), 5)
    booster.save_model(folder_ / "model.txt")
    return booster, rows, labels


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    """A specification around a LightGBM text model; keyword arguments replace entries, None removes one."""
    booster, rows, labels = trained(tmp_path, NAMES)
    inputs = {name: rows[:, i] for i, name in enumerate(NAMES)}
    scores = booster.predict(rows).astype(np.float32)
    pq.write_table(pa.table(inputs).slice(0, 150), tmp_path / "golden.parquet")
    pq.write_table(pa.table({**inputs, "score": scores}).slice(0, 150), tmp_path / "scored.parquet")
    pq.write_table(pa.table({**inputs, "score": scores, "label": labels}), tmp_path / "baseline.parquet")
    (tmp_path / "card.md").write_text("# a card\n")

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
            "signature": plain(),
            "metrics": {"auc": 0.9},
            **changes,
        }
        path = tmp_path / "bundle-spec.yaml"
        path.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
        return path

    return write


def left_behind(settings: Settings) -> list[Path]:
    return list(settings.paths.bundles_dir.glob("*")) if settings.paths.bundles_dir.exists() else []


def test_a_lightgbm_model_becomes_a_bundle_that_checks(runner: CliRunner, spec: Spec, tmp_path: Path) -> None:
    built = runner.invoke(cli, ["build", str(spec())], catch_exceptions=False)
    digest, path = built.output.split()[1], Path(built.output.split()[2])
    assert path.parent == tmp_path / "bundles"
    assert f"contract: wrote {tmp_path}/schemas/requests.churn/v1.avsc" in built.output
    again = runner.invoke(cli, ["build", str(spec())], catch_exceptions=False)
    assert "contract: requests.churn v1 has all that the bundle asks for" in again.output
    checked = runner.invoke(cli, ["check", digest], catch_exceptions=False)
    assert checked.exit_code == 0
    said = json.loads(runner.invoke(cli, ["check", digest, "--json"], catch_exceptions=False).output)["checks"]
    assert said["golden rows"]["said"].startswith("150 within 1e-06 or 1e-05 of the score, largest")
    assert said["requests"] == {"result": "ok", "said": "150 golden rows asked, answered and shaped for the record"}
    assert said["rows alone"]["said"] == "same bits in any batch"
    assert said["runs on"]["said"] == "the kernel for trees (engine weir-trees-1): it agrees with ONNX Runtime"
    for engine in ("weir-trees-1", "onnxruntime"):
        assert re.fullmatch(
            r"\d+\.\d\d in batches of 1, \d+\.\d\d in batches of 64, \d+\.\d\d in batches of 1,024",
            said[f"us a row, {engine}"]["said"],
        )
    assert {entry["result"] for entry in said.values()} == {"ok"}


def test_a_bundle_that_is_built_again_is_the_same(spec: Spec, settings: Settings) -> None:
    first, again = bundles.build(spec(), settings), bundles.build(spec(), settings)
    assert (first[0], again[1]) == (again[0], ("it was there with the same content",))


def test_inspect_fits_80_columns_and_cuts_nothing(runner: CliRunner, tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path)
    shown = runner.invoke(cli, ["inspect", str(path)], catch_exceptions=False).output
    words = ("tiny-logistic", "channel", "category (3)", "0 .. 1000", "missing: reject", "shop INT64, may be null")
    for word in words:
        assert word in shown
    assert path.name in shown.replace("\n", "").replace("│", "").replace(" ", "")
    said = json.loads(runner.invoke(cli, ["inspect", path.name[:8], "--json"], catch_exceptions=False).output)
    assert (said["digest"], said["name"], len(said["signature"]["inputs"])) == (path.name, "tiny-logistic", 4)


def test_list_shows_every_bundle_the_newest_first(runner: CliRunner, tmp_path: Path) -> None:
    assert "no bundles" in runner.invoke(cli, ["list"], catch_exceptions=False).output
    paths = [tiny_bundle(tmp_path, version=version) for version in ("1", "2")]
    (tmp_path / "bundles" / ("f" * 64)).mkdir()
    (tmp_path / "bundles" / ("f" * 64) / "bundle.yaml").write_text("{")
    shown = runner.invoke(cli, ["list"], catch_exceptions=False).output
    assert all(path.name[:12] in shown for path in paths)
    said = json.loads(runner.invoke(cli, ["list", "--json"], catch_exceptions=False).output)
    assert [entry["version"] for entry in said] == [None, "2", "1"]


def test_check_refuses_with_one_message(runner: CliRunner, tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path)
    with (path / "card.md").open("a") as card:
        card.write("!")
    outcome = runner.invoke(cli, ["check", str(path)])
    assert isinstance(outcome.exception, Refused)
    assert str(outcome.exception).startswith("bundle was changed after it was built: card.md differs")


def test_check_says_what_it_did_not_try(runner: CliRunner, tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path, WITH_FEATURES)
    said = json.loads(runner.invoke(cli, ["check", str(path), "--json"], catch_exceptions=False).output)["checks"]
    assert said["features"]["result"] == "skipped"
    assert "requests" not in said


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"owner": None}, "owner is missing"),
        ({"colour": "blue"}, "unknown key colour"),
        ({"tresholt": 0.1}, "unknown key tresholt"),
        ({"metric": {}}, "unknown key metric: is metrics meant"),
        ({"model": "nothing.txt"}, "there is no model file"),
        ({"model": "."}, "there is no model file"),
        ({"model": "card.md"}, "neither ONNX nor LightGBM text, and no pickle is ever loaded"),
        ({"model": "model.pkl"}, "neither ONNX nor LightGBM text, and no pickle is ever loaded"),
        ({"model": "fake.onnx"}, "not what its name says"),
        ({"model": "fake.txt"}, "the model cannot be used"),
        ({"golden": "card.md"}, "not a Parquet file"),
        ({"baseline": "golden.parquet"}, "baseline rows lack label, score"),
        ({"card": "card.latin1"}, "the card is not UTF-8"),
        ({"version": 1.1}, "version is 1.1, not text: write it in quotes"),
        ({"version": 3}, "version is 3, not text: write it in quotes"),
        ({"version": True}, "version is True, not text: write it in quotes"),
        ({"name": ""}, "name is empty"),
        ({"tolerance": "high"}, "tolerance is 'high', not a number"),
        ({"tolerance": 2.0}, "tolerance is 2, not a difference of two scores"),
        ({"metrics": {"auc": "high"}}, "metrics.auc is 'high', not a number"),
        ({"training_from": "last spring"}, "training_from is 'last spring', not a date"),
        ({"service": "Fraud Service!"}, "service 'Fraud Service!' cannot name a topic"),
        ({"feature_service": "churn_v1"}, "no input reads a feature of feature_service churn_v1|was never applied"),
        ({"column": 1}, "a LightGBM text model has one output"),
    ],
)
def test_a_wrong_specification_is_refused(
    spec: Spec, tmp_path: Path, settings: Settings, changes: dict[str, object], says: str
) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps({"weights": [1.0]}))
    (tmp_path / "fake.onnx").write_bytes(pickle.dumps({"weights": [1.0]}))
    (tmp_path / "fake.txt").write_text("not a model")
    (tmp_path / "card.latin1").write_bytes(BAD_CARD)
    with pytest.raises(Refused, match=says) as caught:
        bundles.build(spec(**changes), settings)
    assert "pydantic" not in str(caught.value)
    assert "again" not in caught.value.remedy
    assert left_behind(settings) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"on_missing": "sue"}, "input amount: on_missing is 'sue', not one of 'use', 'default' or 'reject'"),
        (
            {"dtype": "text"},
            "dtype is 'text', not one of 'float', 'double', 'int', 'bool', 'category', 'string' or 'age'",
        ),
        ({"source": "db"}, "input amount: source is 'db', not one of 'request' or 'feature'"),
        ({"source": None}, "input amount: source is None"),
        ({"on_mising": "use"}, "input amount: unknown key on_mising: is on_missing meant"),
        ({"low": "0"}, "input amount: low is '0', not a number"),
        ({"ref": 7}, "input amount: ref is 7, not text: write it in quotes"),
        ({"name": 7}, "input number 1: name is 7, not text: write it in quotes"),
        ({"categories": [1, 2], "dtype": "category"}, "input amount: categories.0 is 1, not text"),
        ({"on_missing": "default"}, "input amount: policy 'default' needs a default"),
        ({"low": 5, "high": 1}, "input amount: low 5 is above high 1"),
        ({"dtype": "int", "low": 0.2, "high": 0.8}, "input amount: there is no whole number from low 0.2 to high 0.8"),
        ({"max_age_s": 5}, "input amount: max_age_s belongs to features"),
        ({"ref": "request_id"}, "request_id has the name of a field that every request has"),
        ({"ref": "event_time"}, "event_time has the name of a field that every request has"),
        ({"ref": "not-avro"}, "not-avro is not a name in Avro"),
        ({"name": "items"}, "two inputs are called items"),
    ],
)
def test_a_wrong_signature_names_the_input_and_what_is_allowed(
    spec: Spec, settings: Settings, change: dict[str, object], says: str
) -> None:
    signature = plain()
    signature["inputs"][0] |= change
    with pytest.raises(Refused, match=says) as caught:
        bundles.build(spec(signature=signature), settings)
    assert len(str(caught.value)) < 800


@pytest.mark.parametrize(
    ("signature", "says"),
    [
        ({"inputs": []}, "there are no inputs"),
        ({"inputs": [{"name": "a"}]}, "input a: source is missing; input a: ref is missing"),
        ({"inputs": ["a"]}, "input number 1: .*is 'a', not a mapping"),
        ({"inputs": "a"}, "inputs is 'a', not a list"),
        ({}, "inputs is missing"),
        ("x", "signature is 'x', not a mapping"),
        ({**plain(), "threshold": "high"}, "threshold is 'high', not a number"),
        ({**plain(), "tresholt": 0.1}, "signature: unknown key tresholt: is threshold meant"),
        ({**plain(), "join_keys": [{"name": "k", "dtype": "DOUBLE"}]}, "join key k: dtype is 'DOUBLE', not one of"),
        ({**plain(), "join_keys": [{"name": "k", "required": "no"}]}, "join key k: required is 'no', not true or"),
        ({**plain(), "join_keys": [{"name": "k"}, {"name": "k"}]}, "two join keys are called k"),
    ],
)
def test_a_signature_of_another_shape_is_refused(spec: Spec, settings: Settings, signature: object, says: str) -> None:
    with pytest.raises(Refused, match=says):
        bundles.build(spec(signature=signature), settings)


def test_inputs_in_another_order_than_the_models_are_refused_with_both_lists(spec: Spec, settings: Settings) -> None:
    """Golden rows without a score would be scored by the model itself, and so always agree."""
    swapped = plain()
    swapped["inputs"][:2] = swapped["inputs"][1::-1]
    says = r"another order, first at 0: the model has \[amount, items, .*\], the signature \[items, amount, "
    with pytest.raises(Refused, match=says):
        bundles.build(spec(signature=swapped), settings)
    with pytest.raises(Refused, match=says):
        bundles.build(spec(signature=swapped, golden="scored.parquet"), settings)


def test_codes_in_another_order_than_the_models_are_refused_with_both_lists(
    spec: Spec, tmp_path: Path, settings: Settings
) -> None:
    _, rows, labels = trained(tmp_path)
    frame = pd.DataFrame(rows, columns=NAMES)
    levels = ["shop", "web", "app"]
    frame["channel"] = pd.Categorical.from_codes(rows[:, 3].astype(int), categories=levels)
    options = {"objective": "binary", "verbosity": -1, "num_threads": 1}
    lgb.train(options, lgb.Dataset(frame, labels), 5).save_model(tmp_path / "model.txt")
    with pytest.raises(Refused, match=r"input channel: .*\[shop, web, app\], the signature \[web, app, shop\]"):
        bundles.build(spec(), settings)
    signature = plain()
    signature["inputs"][3]["categories"] = levels
    path, *_ = bundles.build(spec(signature=signature), settings)
    bundles.check(path.name, settings)


def test_golden_rows_without_scores_need_a_model_that_names_its_columns(
    spec: Spec, tmp_path: Path, settings: Settings
) -> None:
    trained(tmp_path)
    with pytest.raises(Refused, match="golden rows lack score, and it names no columns"):
        bundles.build(spec(), settings)
    bundles.build(spec(golden="scored.parquet"), settings)
    onnx.save(graph(list(weights_of(SIGNATURE))), tmp_path / "model.onnx")
    with pytest.raises(Refused, match="golden rows lack score, and an ONNX model can only be compared with itself"):
        bundles.build(spec(model="model.onnx"), settings)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda table: table.drop_columns("gift"), "golden rows lack gift|column gift is missing"),
        (lambda table: with_column(table, "amount", ["1.5"] * 150), "column amount holds string, not numbers"),
        (lambda table: with_column(table, "channel", [5.0] * 150), "channel = 5, which is no code of its 3 categories"),
        (lambda table: with_column(table, "channel", [0.5] * 150), "channel = 0.5, which is no code"),
        (lambda table: with_column(table, "items", [0.5] * 150), "items = 0.5, which is no whole number"),
        (lambda table: with_column(table, "gift", [2.0] * 150), "gift = 2, which is neither 0 nor 1"),
        (lambda table: with_column(table, "amount", [-1.0] * 150), "no golden row can be asked: out_of_range amount"),
        (lambda table: table.slice(0, 0), "golden.parquet has 0 rows"),
        (lambda table: table.append_column("gift", table["gift"]), "column gift is there twice"),
    ],
)
def test_golden_rows_that_no_request_can_say_are_refused(
    spec: Spec, tmp_path: Path, settings: Settings, change: Callable[[pa.Table], pa.Table], says: str
) -> None:
    pq.write_table(change(pq.read_table(tmp_path / "golden.parquet")), tmp_path / "golden.parquet")
    with pytest.raises(Refused, match=says):
        bundles.build(spec(), settings)
    assert left_behind(settings) == []


def with_column(table: pa.Table, name: str, values: list[object]) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(values))


def test_golden_rows_that_would_be_dead_letters_are_counted(spec: Spec, tmp_path: Path, settings: Settings) -> None:
    values = [-1.0] * 7 + [float(i) for i in range(143)]
    table = with_column(pq.read_table(tmp_path / "golden.parquet"), "amount", values)
    pq.write_table(table, tmp_path / "golden.parquet")
    path, _, warnings, _ = bundles.build(spec(), settings)
    assert warnings == ("7 of 150 golden rows would be dead letters (out_of_range amount: 7)",)
    assert bundles.check(path.name, settings).rehearsal.rejected == {"out_of_range amount": 7}


def test_few_golden_rows_and_rows_that_show_nothing_are_said(spec: Spec, tmp_path: Path, settings: Settings) -> None:
    table = with_column(pq.read_table(tmp_path / "golden.parquet"), "amount", [1.0] * 150).slice(0, 8)
    pq.write_table(table, tmp_path / "golden.parquet")
    _, _, warnings, _ = bundles.build(spec(), settings)
    assert warnings[0].startswith("only 8 golden rows")
    assert warnings[1].startswith("golden rows say nothing of inputs with one value only: amount")


def by_name(path: Path, kind: pa.DataType) -> None:
    """Write the channel of a file's rows by its name, as a data frame has it."""
    table = pq.read_table(path)
    levels = SIGNATURE.inputs[-1].categories
    names = [None if code is None else levels[int(code)] for code in table["channel"].to_pylist()]
    pq.write_table(with_column(table, "channel", pa.array(names, pa.string()).cast(kind)), path)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())], ids=str)
def test_rows_may_have_categories_by_their_names(
    spec: Spec, tmp_path: Path, settings: Settings, kind: pa.DataType
) -> None:
    for file in ("golden", "scored", "baseline"):
        table = pq.read_table(tmp_path / f"{file}.parquet")
        codes = [None if i == 3 else code for i, code in enumerate(table["channel"].to_pylist())]
        pq.write_table(with_column(table, "channel", codes), tmp_path / f"{file}.parquet")
    coded = bundles.build(spec(), settings)[0]
    for file in ("golden", "baseline"):
        by_name(tmp_path / f"{file}.parquet", kind)
    named = bundles.build(spec(version="4"), settings)[0]
    for file in (folder.GOLDEN, folder.BASELINE):
        one, other = (pq.read_table(path / file) for path in (coded, named))
        assert one["channel"].cast(pa.float32()) == other["channel"].cast(pa.float32())


def test_a_category_that_is_none_is_named(spec: Spec, tmp_path: Path, settings: Settings) -> None:
    table = with_column(pq.read_table(tmp_path / "golden.parquet"), "channel", ["web"] * 149 + ["fax"])
    pq.write_table(table, tmp_path / "golden.parquet")
    with pytest.raises(Refused, match=r"column channel holds 'fax', .* \[web, app, shop\] .*golden.parquet"):
        bundles.build(spec(), settings)


def test_one_version_has_one_content(spec: Spec, settings: Settings) -> None:
    first, *_ = bundles.build(spec(), settings)
    with pytest.raises(Refused, match=f"churn-lightgbm 3 .* with another content: {first.name[:12]}"):
        bundles.build(spec(owner="somebody else"), settings)
    assert left_behind(settings) == [first]
    bundles.build(spec(owner="somebody else", version="4"), settings)


def net(op: str = "Sigmoid", *, typed: bool = True, ir: int = 10, dangling: bool = False, domain: str = "") -> bytes:
    weights = helper.make_tensor("W", TensorProto.FLOAT, [4, 1], [0.5] * 4)
    nodes = [helper.make_node("MatMul", ["x", "W"], ["h"]), helper.make_node(op, ["h"], ["p"], domain=domain)]
    given = helper.make_tensor_value_info("p", TensorProto.FLOAT, [None, 1] if typed else None)
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 4])
    body = helper.make_graph(nodes[:1] if dangling else nodes, "g", [taken], [given], [weights])
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=ir)
    return model.SerializeToString()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (net("NoSuchOp"), "the model cannot be run: .*NoSuchOp"),
        (net("Own", domain="custom"), "the model cannot be run"),
        (net(ir=99), "the model cannot be run: it has IR version 99"),
        (net(dangling=True), "the model cannot be run"),
        (b"", "the model is not ONNX: it has no output"),
    ],
)
def test_a_graph_that_cannot_run_is_refused(
    spec: Spec, tmp_path: Path, settings: Settings, content: bytes, says: str
) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(Refused, match=says):
        bundles.build(spec(model="model.onnx", golden="scored.parquet"), settings)
    assert left_behind(settings) == []


def test_an_output_of_unsaid_shape_is_seen_by_running_it(spec: Spec, tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "model.onnx").write_bytes(net(typed=False))
    rows = golden_rows(SIGNATURE, 150)
    scores = (1 / (1 + np.exp(-rows.sum(1) * 0.5))).astype(np.float32)
    columns = {name: rows[:, i] for i, name in enumerate(NAMES)}
    pq.write_table(pa.table({**columns, "score": scores}), tmp_path / "golden.parquet")
    bundles.build(spec(model="model.onnx"), settings)


def test_large_scores_are_held_to_a_share_of_themselves(spec: Spec, tmp_path: Path, settings: Settings) -> None:
    """A regression in dollars: one step of float32 at 300 is more than 1e-6."""
    rows = golden_rows(SIGNATURE, 300)
    target = rows @ np.array([100.0, 31.7, 17.1, 5.3])
    options = {"objective": "regression", "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5}
    lgb.train(options, lgb.Dataset(rows, target, feature_name=NAMES), 60).save_model(tmp_path / "model.txt")
    columns = {name: rows[:, i] for i, name in enumerate(NAMES)}
    pq.write_table(pa.table(columns), tmp_path / "golden.parquet")
    path, *_ = bundles.build(spec(), settings)
    checked = bundles.check(path.name, settings)
    assert checked.opened.golden.worst > checked.opened.bundle.tolerance


def three_classes(folder_: Path, classes: tuple[str, ...] = ("web", "app", "shop")) -> dict:
    """A LightGBM model of three classes as model.txt with a baseline; the signature as a specification has it."""
    rows = golden_rows(SIGNATURE, 300)
    options = {"objective": "multiclass", "num_class": 3, "verbosity": -1, "num_threads": 1}
    booster = lgb.train(options, lgb.Dataset(rows, rows[:, 3].copy(), feature_name=NAMES), 2)
    booster.save_model(folder_ / "model.txt")
    columns = {name: rows[:, i] for i, name in enumerate(NAMES)}
    scores = {f"score_{name}": column for name, column in zip(classes, booster.predict(rows).T, strict=True)}
    labels = [classes[int(code)] for code in rows[:, 3]]
    pq.write_table(pa.table({**columns, **scores, "label": labels}), folder_ / "baseline.parquet")
    return {**plain(), "task": "multiclass", "threshold": None, "classes": list(classes)}


def test_a_multiclass_lightgbm_model_becomes_a_bundle(spec: Spec, tmp_path: Path, settings: Settings) -> None:
    path = bundles.build(spec(signature=three_classes(tmp_path)), settings).path
    opened = bundles.check(path.name, settings).opened
    assert opened.golden.outputs.shape == (150, 3)
    np.testing.assert_allclose(opened.golden.outputs.sum(axis=1), 1, atol=1e-6)
    assert opened.bundle.signature.decisions == ("web", "app", "shop")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"task": "binary", "classes": []}, "the model gives 3 scores a row, and task binary has 1"),
        ({"classes": ["web", "app"]}, "the model gives 3 scores a row, and task multiclass has 2"),
        ({"classes": ["web", "app", "web"]}, "two classes are called web"),
        ({"classes": ["web", "app", ""]}, "one of the classes has an empty name"),
        ({"classes": ["web", "app", "shop", "other"]}, "baseline rows lack score_other|gives 3 scores a row"),
        ({"classes": ["web", "app", "store"]}, "baseline rows lack score_store"),
        ({"classes": []}, "task multiclass needs `classes`"),
        ({"threshold": 0.5}, "task multiclass decides for the class of the highest score"),
        ({"task": "regression"}, "task regression has no classes"),
        ({"task": "binary"}, "task binary has two classes, negative and positive, not 3: is multiclass meant"),
        ({"task": "multi"}, "task is 'multi', not one of 'binary', 'multiclass' or 'regression'"),
        ({"bands": [{"name": "low"}, {"name": "high", "from": 1}]}, "it has no threshold and no bands"),
    ],
)
def test_a_task_that_is_not_the_models_is_refused(
    spec: Spec, tmp_path: Path, settings: Settings, change: dict, says: str
) -> None:
    signature = {**three_classes(tmp_path), **change}
    with pytest.raises(Refused, match=says):
        bundles.build(spec(signature=signature), settings)
    assert not left_behind(settings)


@pytest.mark.parametrize(
    ("bands", "says"),
    [
        ([{"name": "low"}], "band low is alone"),
        ([{"name": "low", "from": 0}, {"name": "high", "from": 1}], "the lowest band, low, begins nowhere"),
        ([{"name": "low"}, {"name": "high"}], "band high lacks `from`"),
        ([{"name": "low"}, {"name": "a", "from": 2}, {"name": "b", "from": 1}], "bands do not rise"),
        (
            [{"name": "low"}, {"name": "a", "from": 10}, {"name": "b", "from": 10.0000001}],
            "begin at one score, as float32",
        ),
        ([{"name": "low"}, {"name": "low", "from": 2}], "two bands are called low"),
        ([{"name": "low"}, {"name": "high", "from": "x"}], "band high: from is 'x', not a number"),
        ([{"name": "low"}, {"name": "high", "form": 1}], "band high: unknown key form: is from meant"),
        ([{"name": "low"}, {"name": "high", "start": 1}], "band high: unknown key start"),
        ([{"name": "low"}, {"from": 1}], "band number 2: name is missing"),
        ([{"name": "low"}, {"name": "high", "from": float("inf")}], "a band begins from inf|from is Infinity"),
    ],
)
def test_bands_that_cannot_be_meant_are_refused(spec: Spec, settings: Settings, bands: list, says: str) -> None:
    signature = {**plain(), "threshold": None, "bands": bands}
    with pytest.raises(Refused, match=says):
        bundles.build(spec(signature=signature), settings)


def test_bands_are_kept_as_they_were_written(spec: Spec, settings: Settings, runner: CliRunner) -> None:
    bands = [{"name": "no"}, {"name": "ask", "from": 0.25}, {"name": "yes", "from": 0.75}]
    path = bundles.build(spec(signature={**plain(), "threshold": None, "bands": bands}), settings).path
    said = json.loads(runner.invoke(cli, ["inspect", path.name, "--json"], catch_exceptions=False).output)
    assert said["signature"]["bands"] == bands
    shown = runner.invoke(cli, ["inspect", path.name], catch_exceptions=False).output
    assert "no, ask from 0.25, yes from 0.75" in shown


REMARK = Input(name="remark", source=Source.REQUEST, ref="remark", dtype=Dtype.STRING, on_missing=Policy.USE)


@pytest.fixture
def spoken(spec: Spec, tmp_path: Path) -> Spec:
    """The same around an ONNX model that reads a text, as the exporter gives it: a tensor for each column."""
    signature = dataclasses.replace(SIGNATURE, inputs=(*SIGNATURE.inputs, REMARK))
    at = tiny_bundle(tmp_path / "made", signature, model=spoken_graph(signature), rows=150)
    for name in ("golden.parquet", "baseline.parquet"):
        (tmp_path / name).write_bytes((at / name).read_bytes())
    (tmp_path / "model.onnx").write_bytes(spoken_graph(signature, exported=True).SerializeToString())
    return functools.partial(spec, model="model.onnx", signature=plain(signature))


def test_a_model_that_reads_texts_is_built_checked_and_asked(
    spoken: Spec, runner: CliRunner, settings: Settings, tmp_path: Path
) -> None:
    built = bundles.build(spoken(), settings)
    checked = runner.invoke(cli, ["check", built.path.name, "--json"], catch_exceptions=False)
    said = json.loads(checked.output)["checks"]
    assert said["requests"] == {"result": "ok", "said": "150 golden rows asked, answered and shaped for the record"}
    assert said["rows alone"]["said"] == "same bits in any batch"
    assert '{"name": "remark", "type": ["null", "string"]' in built.contract.text
    row = {"amount": 1.0, "items": 1, "channel": "web"}
    lines = [{**row, "remark": word} for word in ("red", "Zürich ✈", None, "black")]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    scored = runner.invoke(whole, ["bundle", "score", built.path.name, str(tmp_path / "rows.jsonl"), "--json"])
    red, other, none, black = json.loads(scored.output)
    odds = [row["score"] / (1 - row["score"]) for row in (red, other, none)]
    assert odds[0] == pytest.approx(np.e * odds[1], rel=1e-5)
    assert odds[1] == odds[2]
    assert black["rejected"].startswith("model_failed")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"low": 0}, "input remark: low belongs to numbers, and dtype is string"),
        ({"default": 0, "on_missing": "default"}, "input remark: default belongs to numbers, and dtype is string"),
        ({"on_missing": "default"}, "input remark: policy 'default' needs a default"),
        ({"categories": ["a"]}, "categories belong to dtype 'category', and only there"),
        ({"dtype": "float"}, "input remark: the model takes text, and dtype is float"),
    ],
)
def test_what_a_text_cannot_have_is_refused(spoken: Spec, settings: Settings, change: dict, says: str) -> None:
    signature = json.loads(json.dumps(spoken.keywords["signature"]))
    signature["inputs"][-1] |= change
    with pytest.raises(Refused, match=says):
        bundles.build(spoken(signature=signature), settings)


def test_golden_rows_whose_text_is_a_number_are_refused(spoken: Spec, settings: Settings, tmp_path: Path) -> None:
    table = pq.read_table(tmp_path / "golden.parquet")
    pq.write_table(with_column(table, "remark", [1.0] * len(table)), tmp_path / "golden.parquet")
    with pytest.raises(Refused, match="column remark holds double, not texts"):
        bundles.build(spoken(), settings)


def test_a_model_without_texts_is_given_none(spec: Spec, settings: Settings, tmp_path: Path) -> None:
    """LightGBM reads numbers only: a column that says it is a text would always be 0."""
    signature = plain()
    signature["inputs"][3] = {"name": "channel", "source": "request", "ref": "channel", "dtype": "string"}
    for name in ("golden.parquet", "baseline.parquet"):
        table = pq.read_table(tmp_path / name)
        pq.write_table(with_column(table, "channel", ["web"] * len(table)), tmp_path / name)
    with pytest.raises(Refused, match="takes 0 texts a row, and 1 inputs have dtype string"):
        bundles.build(spec(signature=signature), settings)


def test_features_are_held_to_the_plan_at_build(spec: Spec, tmp_path: Path, settings: Settings) -> None:
    views = (
        ViewPlan("customer_recent", ("customer",), ("spend_7d", "visits_7d"), ("float32", "float32"), 0.0),
        ViewPlan("shop_recent", ("shop",), ("returns_1d",), ("float32",), 3600.0, ("INT64",)),
    )
    feature_plan.save(settings, [ServicePlan("test", "tiny_v1", views)])
    rows = golden_rows(WITH_FEATURES, 200)
    booster = lgb.train(
        {"objective": "binary", "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5},
        lgb.Dataset(rows, rows[:, 4] > rows[:, 5], feature_name=list(WITH_FEATURES.names)),
        3,
    )
    booster.save_model(tmp_path / "model.txt")
    columns = {name: rows[:, i] for i, name in enumerate(WITH_FEATURES.names)}
    pq.write_table(pa.table(columns), tmp_path / "golden.parquet")
    scored = pa.table({**columns, "score": booster.predict(rows), "label": rows[:, 4]})
    pq.write_table(scored, tmp_path / "baseline.parquet")

    def build(**changes: object) -> bundles.Checked:
        signature = {**plain(WITH_FEATURES), **changes}
        path, *_ = bundles.build(spec(signature=signature, feature_service="tiny_v1"), settings)
        return bundles.check(path.name, settings)

    checked = build()
    assert (checked.rehearsal.asked, checked.rehearsal.scored) == (200, 200)
    with pytest.raises(Refused, match="join keys are missing: shop"):
        build(join_keys=[{"name": "customer"}])
    with pytest.raises(Refused, match="join keys of another type: shop"):
        build(join_keys=[{"name": "customer"}, {"name": "shop"}])
    wrong = plain(WITH_FEATURES)["inputs"]
    wrong[4] |= {"ref": "customer_recent__spend7d"}
    with pytest.raises(Refused, match="has no customer_recent__spend7d; it has customer_recent"):
        build(inputs=wrong)
    with pytest.raises(Refused, match="input customer_recent__spend_7d is a feature: give feature_service"):
        bundles.build(spec(signature=plain(WITH_FEATURES)), settings)


def test_the_contract_is_made_from_the_bundle_and_grows(runner: CliRunner, spec: Spec, settings: Settings) -> None:
    where = settings.paths.schemas_dir / "requests.churn"
    path = tiny_bundle(settings.paths.home, service="churn")
    printed = runner.invoke(cli, ["contract", path.name], catch_exceptions=False).output
    assert json.loads(printed)["name"] == "ScoringRequest"
    assert not where.exists()
    wrote = runner.invoke(cli, ["contract", path.name, "--write"], catch_exceptions=False).output
    assert "`weir up` makes its topic and registers it, or `weir topics create` on a running cluster" in wrote
    assert (where / "v1.avsc").read_text() == printed
    again = runner.invoke(cli, ["contract", path.name, "--write"], catch_exceptions=False).output
    assert "has all that the bundle asks for" in again
    signature = dataclasses.replace(
        SIGNATURE, inputs=(*SIGNATURE.inputs[:3], dataclasses.replace(SIGNATURE.inputs[3], ref="way"))
    )
    other = tiny_bundle(settings.paths.home / "other", signature, service="churn")
    runner.invoke(cli, ["contract", str(other), "--write"], catch_exceptions=False)
    names = [field["name"] for field in json.loads((where / "v2.avsc").read_text())["fields"]]
    assert names[-2:] == ["way", "channel"]  # what was there stays, for the bundle that reads it


def test_a_bundle_whose_contract_cannot_read_the_old_requests_is_not_built(spec: Spec, settings: Settings) -> None:
    bundles.build(spec(), settings)
    before, signature = left_behind(settings), plain()
    signature["inputs"][2] |= {"dtype": "int"}
    with pytest.raises(Refused, match=r"contract v2 .* could not read what was written under v1: .*gift"):
        bundles.build(spec(signature=signature, version="4"), settings)
    assert left_behind(settings) == before
    assert [path.name for path in (settings.paths.schemas_dir / "requests.churn").iterdir()] == ["v1.avsc"]


def test_outside_a_project_no_contract_is_written(spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    built = bundles.build(spec(), load(home=tmp_path))
    assert not built.contract.exists
    assert not (tmp_path / "schemas").exists()


def test_a_service_of_the_project_is_built_by_its_name(
    runner: CliRunner, spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WEIR_SCHEMAS_DIR")
    (tmp_path / "weir.yaml").touch()
    spec(service="churn", model="../../model.txt", golden="../../golden.parquet", baseline="../../baseline.parquet")
    (tmp_path / "services" / "churn").mkdir(parents=True)
    made = tmp_path / "bundle-spec.yaml"
    made.write_text(made.read_text().replace("card.md", "../../card.md"))
    made.rename(tmp_path / "services" / "churn" / "service.yaml")
    monkeypatch.chdir(tmp_path / "services")
    built = runner.invoke(cli, ["build", "churn"], catch_exceptions=False)
    assert "requests.churn/v1.avsc" in built.output
    assert (tmp_path / "schemas" / "requests.churn" / "v1.avsc").is_file()
    shown = runner.invoke(cli, ["inspect", "churn", "--json"], catch_exceptions=False)
    assert json.loads(shown.output)["digest"].startswith(built.output.split()[1])
    with pytest.raises(Refused, match=r"there is no service chrun.*did you mean churn\?.*weir service add chrun"):
        runner.invoke(cli, ["build", "chrun"], catch_exceptions=False)


def test_a_contract_that_cannot_read_the_old_requests_is_refused(runner: CliRunner, settings: Settings) -> None:
    first = tiny_bundle(settings.paths.home, service="churn")
    runner.invoke(cli, ["contract", str(first), "--write"], catch_exceptions=False)
    changed = dataclasses.replace(SIGNATURE.inputs[0], dtype=Dtype.BOOL, low=None, high=None)
    signature = dataclasses.replace(SIGNATURE, inputs=(changed, *SIGNATURE.inputs[1:]))
    other = tiny_bundle(settings.paths.home / "other", signature, service="churn")
    outcome = runner.invoke(cli, ["contract", str(other), "--write"])
    assert isinstance(outcome.exception, Refused)
    assert "could not read what was written under v1" in str(outcome.exception)
    assert [path.name for path in (settings.paths.schemas_dir / "requests.churn").iterdir()] == ["v1.avsc"]


def test_the_printed_specification_builds_as_it_is(runner: CliRunner, tmp_path: Path, settings: Settings) -> None:
    printed = runner.invoke(cli, ["spec", "--example"], catch_exceptions=False).output
    assert printed == SPEC
    said = text.parse(printed.encode())
    assert said["version"] == "1"
    (tmp_path / "bundle.yaml").write_text(printed)
    nodes = [
        helper.make_node("Gemm", ["x", "W"], ["raw"]),
        helper.make_node("Softmax", ["raw"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
    ]
    body = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2]),
        ],
        [helper.make_tensor("W", TensorProto.FLOAT, [2, 2], [0.0, 0.01, 0.0, 0.5])],
    )
    onnx.save(
        helper.make_model(body, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), tmp_path / "churn.onnx"
    )
    random = np.random.default_rng(1)
    rows = {"amount": random.uniform(0, 100, 200), "channel": random.integers(0, 3, 200)}
    scores = 1 / (1 + np.exp(-(rows["amount"] * 0.01 + rows["channel"] * 0.5)))
    pq.write_table(pa.table({**rows, "score": scores}), tmp_path / "golden.parquet")
    pq.write_table(pa.table({**rows, "score": scores, "label": scores > 0.5}), tmp_path / "baseline.parquet")
    (tmp_path / "card.md").write_text("# churn\n")
    path, said_, warnings, _ = bundles.build(tmp_path / "bundle.yaml", settings)
    assert (said_, warnings) == (("output probabilities, column 1 of 2",), ())
    assert folder.read(path).bundle.metrics == {"auc": 0.91}


def test_whatever_a_library_raises_is_one_line(
    spec: Spec, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The boundary around the whole command, for what nobody thought of."""

    def fail(path: Path) -> None:
        raise ZeroDivisionError("nobody thought of this")

    monkeypatch.setattr(pq, "ParquetFile", fail)
    with pytest.raises(Refused, match="the bundle cannot be built: ZeroDivisionError: nobody thought of this"):
        bundles.build(spec(), settings)


def test_a_manifest_gives_the_same_bundle_back(tmp_path: Path) -> None:
    bundle = folder.read(tiny_bundle(tmp_path, WITH_FEATURES)).bundle
    odd = dataclasses.replace(bundle, version="1.10", owner="no", metrics={"auc": 1e-7, "n": 3.0})
    assert manifest.from_manifest(text.parse(manifest.to_manifest(odd, {}).encode()), odd.digest) == odd


def test_everything_that_is_wrong_is_said_at_once(spec: Spec, settings: Settings) -> None:
    signature = plain() | {"tresholt": 0.1}
    signature["inputs"][0] |= {"low": "0", "on_mising": "use"}
    changes = {"owner": None, "version": 3, "colour": "blue", "golden": "nothing.parquet", "card": "nothing.md"}
    with pytest.raises(Refused) as caught:
        bundles.build(spec(signature=signature, **changes), settings)
    for said in (
        "owner is missing",
        "version is 3, not text",
        "unknown key colour",
        "signature: unknown key tresholt: is threshold meant?",
        "input amount: unknown key on_mising",
        "input amount: low is '0', not a number",
        "there is no golden file 'nothing.parquet'",
        "there is no card file 'nothing.md'",
    ):
        assert said in str(caught.value)
    with pytest.raises(Refused) as caught:
        bundles.build(spec(owner=" ", tolerance=2.0, service="Fraud Service!"), settings)
    for said in ("owner is empty", "tolerance is 2", "cannot name a topic"):
        assert said in str(caught.value)


def test_a_key_that_was_meant_is_not_missing_as_well(spec: Spec, settings: Settings) -> None:
    with pytest.raises(Refused, match=r"unknown key onwer: is owner meant\?") as caught:
        bundles.build(spec(owner=None, onwer="growth"), settings)
    assert "missing" not in str(caught.value)


def test_golden_rows_in_csv_come_with_a_way_to_convert_them(spec: Spec, tmp_path: Path, settings: Settings) -> None:
    pq.read_table(tmp_path / "golden.parquet").to_pandas().to_csv(tmp_path / "golden.csv", index=False)
    with pytest.raises(Refused, match=r"not a Parquet file but, by its name, CSV .*read_csv\(") as caught:
        bundles.build(spec(golden="golden.csv"), settings)
    code = re.search(r'python -c "(.*?)"', str(caught.value))[1]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    assert bundles.build(spec(golden="golden.parquet"), settings)[0].is_dir()


def test_a_build_that_was_refused_uses_up_no_version(spec: Spec, tmp_path: Path, settings: Settings) -> None:
    good = pq.read_table(tmp_path / "scored.parquet")
    pq.write_table(with_column(good, "score", [0.5] * good.num_rows), tmp_path / "bad.parquet")
    with pytest.raises(Refused, match="golden rows fail"):
        bundles.build(spec(golden="bad.parquet"), settings)
    assert left_behind(settings) == []
    assert bundles.build(spec(golden="scored.parquet"), settings)[0].is_dir()


def test_a_bundle_can_be_removed_and_its_version_is_free_again(
    runner: CliRunner, spec: Spec, tmp_path: Path, settings: Settings
) -> None:
    path, *_ = bundles.build(spec(), settings)
    chosen = serving.choose([str(path)], load(), contracts=False)
    serving.remember_all(load(), chosen, newest=False)
    name = ("remove", "churn-lightgbm")
    assert "there is no bundle churn-lightgbm 4" in str(runner.invoke(cli, [*name, "4", "--yes"]).exception)
    asked = runner.invoke(cli, [*name, "3"])
    assert (asked.exit_code, path.is_dir()) == (2, True)
    held = folder.hold(path)
    with pytest.raises(Refused, match="is served by a process on this machine"):
        runner.invoke(cli, [*name, "3", "--yes"], catch_exceptions=False)
    os.close(held)
    with pytest.raises(Refused, match="WEIR_BUNDLE names"):
        runner.invoke(cli, [*name, "3", "--yes"], env={"WEIR_BUNDLE": path.name[:12]}, catch_exceptions=False)
    with pytest.raises(Refused, match=r"`weir bundle remove churn-lightgbm 3`"):
        bundles.build(spec(metrics={"auc": 0.8}), settings)
    done = runner.invoke(cli, [*name, "3", "--yes"], catch_exceptions=False)
    assert "serves the newest bundle of service churn again" in done.output
    assert (left_behind(settings), serving.remembered(load())) == ([], {})
    assert bundles.build(spec(metrics={"auc": 0.8}), settings)[0].is_dir()


@pytest.mark.parametrize("command", [["list"], ["check", "abc"], ["inspect", "abc"], ["remove", "a", "1", "--yes"]])
def test_a_folder_of_bundles_that_is_not_there_is_refused(
    runner: CliRunner, tmp_path: Path, command: list[str]
) -> None:
    nowhere = {"WEIR_BUNDLES_DIR": str(tmp_path / "bundels")}
    with pytest.raises(Refused, match=r"(?=.*bundels)(?=.*no such folder of bundles).*correct WEIR_BUNDLES_DIR"):
        runner.invoke(cli, command, env=nowhere, catch_exceptions=False)


def test_a_check_asks_answers_and_shapes_for_the_record(
    runner: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny_bundle(tmp_path)
    said = checks_of(runner, path)
    assert said["requests"]["said"] == "32 golden rows asked, answered and shaped for the record"
    assert re.fullmatch(r"up to \d+ bytes a request and \d+ a prediction", said["sizes"]["said"])
    assert (said["sizes"]["result"], said["contract"]["result"]) == ("ok", "warning")
    assert said["contract"]["said"].startswith(
        "4 inputs, 2 join keys: requests.tiny: there is none yet: run `weir bundle"
    )
    assert runner.invoke(cli, ["contract", str(path), "--write"], catch_exceptions=False).exit_code == 0
    monkeypatch.setenv("WEIR_MAX_RECORD_BYTES", "20")
    said = checks_of(runner, path)
    assert said["contract"] == {
        "result": "ok",
        "said": "4 inputs, 2 join keys: requests.tiny v1 has all that the bundle asks for",
    }
    assert said["sizes"]["result"] == "warning"
    assert "and a scorer takes 20: set WEIR_MAX_RECORD_BYTES" in said["sizes"]["said"]


def checks_of(runner: CliRunner, path: Path) -> dict:
    return json.loads(runner.invoke(cli, ["check", str(path), "--json"], catch_exceptions=False).output)["checks"]


def test_every_kind_of_bundle_is_tried_to_the_record(tmp_path: Path) -> None:
    """Of several classes, with words and features; each is decoded and shaped with its own bits."""
    views = (
        ViewPlan("customer_recent", ("customer",), ("spend_7d", "visits_7d"), ("float32", "float32"), 0.0),
        ViewPlan("shop_recent", ("shop",), ("returns_1d",), ("float32",), 3600.0, ("INT64",)),
    )
    plan = ServicePlan("test", "tiny_v1", views)
    classes = dataclasses.replace(SIGNATURE, task=Task.MULTICLASS, classes=("a", "b", "c"), threshold=None)
    for signature, read in ((SIGNATURE, None), (classes, None), (WITH_FEATURES, plan)):
        fingerprint = read.reading(signature.looked_up).fingerprint if read else ""
        path = tiny_bundle(tmp_path, signature, feature_fingerprint=fingerprint)
        tried = rehearse(opened_bundle(path, read), read)
        assert tried.scored == tried.asked == 32
        assert tried.written_bytes > tried.asked_bytes > 0
