"""`weir bundle score`: the answers that a scorer would give, without one."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result
from weir.core.errors import Refused
from weir.core.features import ServicePlan, ViewPlan
from weir.core.signature import Source, Task
from weir.edges.bundles.onnx_model import Model
from weir.operations.score import score

from tests import tiny_requests as tiny
from tests.bundles import SIGNATURE, WITH_FEATURES, opened_bundle, tiny_bundle
from tests.command_line import cli


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tiny_bundle(tmp_path / "bundles")


def weir(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["bundle", "score", *map(str, arguments)])


def inputs(n: int) -> pa.Table:
    rows = tiny.rows(n)
    return pa.table({name: rows.column(name) for name in ("amount", "items", "gift", "channel")})


def test_scores_are_the_model_s_own(bundle: Path, tmp_path: Path) -> None:
    table = inputs(5000)
    pq.write_table(table, tmp_path / "rows.parquet")
    done = weir(bundle, tmp_path / "rows.parquet", "--json", "--out", tmp_path / "scored.parquet")
    found = json.loads(done.stdout)
    expected = Model(bundle).run(tiny.matrix(tiny.rows(5000)))[:, 0]
    np.testing.assert_array_equal(np.array([row["score"] for row in found], np.float32), expected)
    assert [row["decision"] for row in found] == ["positive" if score >= 0.5 else "negative" for score in expected]
    written = pq.read_table(tmp_path / "scored.parquet")
    assert written.column_names == [*table.column_names, "score", "decision", "rejected"]
    np.testing.assert_array_equal(written.column("score").to_numpy(), expected)


def test_csv_and_json_lines_give_the_same(bundle: Path, tmp_path: Path) -> None:
    rows = [
        {"amount": 12.5, "items": 3, "gift": True, "channel": "app"},
        {"amount": 5000.0, "items": 3, "channel": "web"},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "rows.csv").write_text("amount,items,gift,channel\n12.5,3,true,app\n5000,3,,web\n")
    of_lines, of_csv = (
        json.loads(weir(bundle, tmp_path / name, "--json").stdout) for name in ("rows.jsonl", "rows.csv")
    )
    assert of_lines == of_csv
    assert of_lines[0]["rejected"] is None
    assert of_lines[1]["score"] is None
    assert of_lines[1]["rejected"].startswith("out_of_range: amount = 5000")
    assert "1 scored, 1 rejected" in weir(bundle, tmp_path / "rows.csv").stdout


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("amount;items;channel\n1,5;3;web\n", "rows.csv is ;"),
        ("amount\titems\tchannel\n1.5\t3\tweb\n", "rows.csv is a tab"),
        ("colour\nred\n", "no column is an input of the bundle"),
        ("amount,items,channel\nmuch,3,web\n", "column amount is string, and requests have float"),
    ],
)
def test_rows_that_no_request_can_be_are_refused(bundle: Path, tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "rows.csv").write_text(text)
    refused = weir(bundle, tmp_path / "rows.csv").exception
    assert isinstance(refused, Refused)
    assert says in str(refused)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv", "amount,channel\n1,K\xf6ln\n"),
        ("rows.csv", "amount,gr\xf6\xdfe\n1,2\n"),
        ("rows.jsonl", '{"amount": 1, "channel": "K\xf6ln"}\n'),
    ],
)
def test_a_file_that_is_no_utf_8_is_told_with_what_to_do(bundle: Path, tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_bytes(content.encode("latin-1"))
    refused = weir(bundle, tmp_path / name).exception
    assert isinstance(refused, Refused)
    assert "is not UTF-8: line" in str(refused)
    assert re.search(r"[^\\]\\xf6", str(refused))
    assert "save it as UTF-8" in str(refused)


def test_another_kind_of_file_is_refused(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.xlsx").write_bytes(b"PK")
    assert "is no .parquet, .csv or .jsonl" in str(weir(bundle, tmp_path / "rows.xlsx").exception)
    (tmp_path / "rows.parquet").write_bytes(b"nothing")
    assert "cannot be read" in str(weir(bundle, tmp_path / "rows.parquet").exception)


def test_features_are_columns_of_the_file(tmp_path: Path) -> None:
    """A row without any feature of a view is not found there, and the signature's policies say what follows."""
    views = (
        ViewPlan("customer_recent", ("customer",), ("spend_7d", "visits_7d"), ("float32", "float32"), 0.0),
        ViewPlan("shop_recent", ("shop",), ("returns_1d",), ("float32",), 3600.0, ("INT64",)),
    )
    plan = ServicePlan("test", "tiny_v1", views)
    opened = opened_bundle(tiny_bundle(tmp_path, WITH_FEATURES))
    table = inputs(6)
    features = {item.ref: [1.0, 2.0, 3.0, 4.0, 5.0, None] for item in WITH_FEATURES.of(Source.FEATURE)}
    for ref, values in features.items():
        table = table.append_column(ref, pa.array(values, pa.float32()))
    found = score(opened, plan, table).to_pylist()
    matrix = np.column_stack([tiny.matrix(tiny.rows(6)), *(np.array(list(features.values()), np.float32))])
    expected = opened.model.run(np.ascontiguousarray(matrix, np.float32))[:, 0]
    assert [row["score"] for row in found[:5]] == expected[:5].tolist()
    assert found[5]["rejected"].startswith("feature_missing: shop_recent__returns_1d")
    with pytest.raises(Refused, match="was not applied here"):
        score(opened, None, table)


def test_a_column_called_as_the_model_calls_it_is_refused_since_no_request_does(tmp_path: Path) -> None:
    signature = dataclasses.replace(
        SIGNATURE, inputs=(dataclasses.replace(SIGNATURE.inputs[0], ref="sum"), *SIGNATURE.inputs[1:])
    )
    opened = opened_bundle(tiny_bundle(tmp_path, signature))
    with pytest.raises(Refused, match="column amount is called as the model calls it; a request calls it sum"):
        score(opened, None, inputs(3))
    assert score(opened, None, inputs(3).rename_columns(["sum", "items", "gift", "channel"])).num_rows == 3


def test_of_several_classes_each_has_its_score(tmp_path: Path) -> None:
    classes = ("web", "app", "shop")
    signature = dataclasses.replace(SIGNATURE, task=Task.MULTICLASS, classes=classes, threshold=None)
    opened = opened_bundle(tiny_bundle(tmp_path, signature))
    table = inputs(50)
    table = table.set_column(0, "amount", pa.array([-1.0, *table["amount"].to_pylist()[1:]]))
    done = score(opened, None, table)
    assert done.column_names == ["score", "decision", "score_web", "score_app", "score_shop", "rejected"]
    rows = done.to_pylist()
    assert {rows[0][name] for name in done.column_names[:5]} == {None}
    for row in rows[1:]:
        of_class = {name: row[f"score_{name}"] for name in classes}
        assert (row["score"], row["decision"]) == max((value, name) for name, value in of_class.items())
        assert sum(of_class.values()) == pytest.approx(1)
