"""`weir service add` finds out every toolchain's own export, and what it writes gives the library's scores as it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from weir.edges.bundles import folder
from weir.operations import bundles, new_service, projects, services
from weir.settings import load

from tests.toolchains import environment
from tests.toolchains.test_exports import EXPORTED, PYTORCH


@pytest.mark.parametrize("name", EXPORTED)
def test_an_export_is_found_out(name: str, cases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found_out(cases / name, tmp_path, monkeypatch)


@pytest.mark.parametrize("name", PYTORCH)
def test_pytorchs_are_found_out(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found_out(environment.PYTORCH / name, tmp_path, monkeypatch)


def found_out(case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sample holds the library's scores, so that a bundle which is built gives them."""
    projects.init(tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    said, table = json.loads((case / "case.json").read_text()), pq.read_table(case / "rows.parquet")
    scores = np.array(table["scores"].to_pylist())
    names = [f"score_{word}" for word in said["classes"]] if scores.shape[1] > 1 else ["score"]
    sample = table.drop_columns(["scores"])
    for column, values in zip(names, scores.T, strict=True):
        sample = sample.append_column(column, pa.array(values))
    pq.write_table(sample, tmp_path / "rows.parquet")
    codes = {item["name"]: tuple(item["categories"]) for item in said["inputs"] if item["categories"]}
    wishes = new_service.Wishes(codes=codes if case.name == "torch-embedding" else {})
    new_service.add("found", case / said["file"], tmp_path / "rows.parquet", wishes, load())
    built = bundles.build(services.spec_of("found", load()), load())
    signature = folder.read(built.path).bundle.signature
    assert (str(signature.task), signature.names) == (said["task"], tuple(item["name"] for item in said["inputs"]))
    assert signature.classes in ((), tuple(said["classes"]))
