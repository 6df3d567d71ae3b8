"""Every toolchain's own export: built from a specification, asked through the scorer's code, every score compared."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from weir.core.bundle import RELATIVE
from weir.core.errors import Refused
from weir.edges.bundles import folder
from weir.edges.bundles.opened import Opened
from weir.operations import bundles
from weir.operations.score import score
from weir.settings import Settings, load

from tests.bundles import opened_bundle
from tests.toolchains import environment

# Accepted is a difference of ABSOLUTE, or of RELATIVE (1e-5) of the library's own score where that is more: a float32
# has 24 bits, so that 100 and its neighbour are 7.6e-6 apart.
ABSOLUTE = 1e-6

CLASSIFIERS = [
    "logistic",
    "sgd",
    "tree",
    "forest",
    "extra-trees",
    "boosting",
    "hist-boosting",
    "adaboost",
    "bayes",
    "network",
    "calibrated",
]
OF_MANY = ["logistic", "forest", "hist-boosting", "network"]
REGRESSORS = ["linear", "forest", "boosting", "hist-boosting", "network", "support-vectors"]
OTHER_INPUTS = [
    "float64",
    "int64",
    "columns",
    "one-row",
    "texts-logistic",
    "texts-forest",
    "texts-groups",
    "texts-alone",
]
BOOSTED = [
    *(f"xgboost-{task}" for task in ("binary", "many", "regression")),
    *(f"catboost-{task}" for task in ("binary", "many", "regression")),
    *(f"lightgbm-{task}-text" for task in ("binary", "many", "regression", "categories")),
    *(f"lightgbm-{kind}" for kind in ("binary", "binary-zipmap", "regression")),
]
EXPORTED = [
    *(f"sklearn-{kind}{zipmap}" for kind in CLASSIFIERS for zipmap in ("", "-zipmap")),
    *(f"sklearn-many-{kind}{zipmap}" for kind in OF_MANY for zipmap in ("", "-zipmap")),
    *(f"sklearn-regression-{kind}" for kind in REGRESSORS),
    *(f"sklearn-{kind}" for kind in OTHER_INPUTS),
    *BOOSTED,
]
# Exports that do not say what their library says: neighbours at the same distance are taken in another order, and
# thresholds of LightGBM are rounded to the nearest float32, where its own text keeps them.
APART = [
    *(f"sklearn-{kind}" for kind in ("neighbours", "neighbours-zipmap", "regression-neighbours")),
    *(f"lightgbm-{kind}" for kind in ("many", "many-zipmap")),
]
PYTORCH = [
    *(
        f"torch-{task}-{exporter}"
        for task in ("binary", "many", "regression")
        for exporter in ("dynamo", "torchscript")
    ),
    "torch-four-rows",
    "torch-embedding",
]


@pytest.fixture(scope="module")
def cases() -> Path:
    try:
        return environment.exported()
    except environment.Unavailable as error:
        pytest.skip(f"no toolchains here: {error}")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "schemas").mkdir()
    return load(home=tmp_path / "home", bundles_dir=tmp_path / "bundles", schemas_dir=tmp_path / "schemas")


def test_every_export_is_tested(cases: Path) -> None:
    assert sorted(path.name for path in cases.iterdir()) == sorted([*EXPORTED, *APART])
    assert sorted(path.name for path in environment.PYTORCH.iterdir()) == sorted(PYTORCH)


@pytest.mark.parametrize("name", EXPORTED)
def test_an_export_gives_the_scores_of_its_library(name: str, cases: Path, tmp_path: Path, settings: Settings) -> None:
    held(cases / name, tmp_path, settings)


@pytest.mark.parametrize("name", PYTORCH)
def test_pytorch_gives_its_own_scores_by_either_exporter(name: str, tmp_path: Path, settings: Settings) -> None:
    held(environment.PYTORCH / name, tmp_path, settings)


@pytest.mark.parametrize("name", APART)
def test_an_export_that_says_something_else_is_refused(
    name: str, cases: Path, tmp_path: Path, settings: Settings
) -> None:
    with pytest.raises(Refused, match=r"\d+ of \d+ golden rows fail: row \d+ scores .*, expected .* within") as refused:
        built(cases / name, tmp_path, settings)
    assert ("give LightGBM's own text" in str(refused.value)) == name.startswith("lightgbm")


def held(case: Path, tmp_path: Path, settings: Settings) -> None:
    """Build, ask for every row, compare, and say what was seen (`pytest -rP` shows it)."""
    opened, table, wanted = built(case, tmp_path, settings)
    signature = opened.bundle.signature
    done = score(opened, None, table.select(signature.names))
    assert done["rejected"].null_count == table.num_rows
    names = [f"score_{name}" for name in signature.outputs] or ["score"]
    found = np.column_stack([done[name].to_numpy() for name in names])
    difference = np.abs(found - wanted)
    assert (difference <= np.maximum(ABSOLUTE, RELATIVE * np.abs(wanted))).all(), difference.max()
    if signature.outputs:
        assert done["decision"].to_pylist() == [signature.classes[at] for at in found.argmax(axis=1)]
    print(f"{case.name}: {table.num_rows} rows, largest difference {difference.max():.1e}")


def built(case: Path, tmp_path: Path, settings: Settings) -> tuple[Opened, pa.Table, np.ndarray]:
    """The bundle, opened; the rows as a caller writes them, and the library's scores, float64[n, m]."""
    said = json.loads((case / "case.json").read_text(encoding="utf-8"))
    table = pq.read_table(case / "rows.parquet")
    wanted = np.array(table["scores"].to_pylist())
    rows = table.drop_columns(["scores"])
    of_many = said["task"] == "multiclass"
    for i, column in enumerate(wanted.T):
        rows = rows.append_column(f"score_{said['classes'][i]}" if of_many else "score", pa.array(column))
    pq.write_table(rows, tmp_path / "rows.parquet")
    (tmp_path / "card.md").write_text(f"# {said['kind']}\n", encoding="utf-8")
    spec = {
        "service": "exported",
        "name": case.name,
        "version": "1",
        "owner": "tests",
        "model": str(case / said["file"]),
        "golden": "rows.parquet",
        "baseline": "rows.parquet",
        "card": "card.md",
        "signature": {
            "task": said["task"],
            **({"classes": said["classes"]} if said["classes"] else {}),
            "inputs": [
                {
                    "name": item["name"],
                    "source": "request",
                    "ref": item["name"],
                    "dtype": item["dtype"],
                    **({"categories": item["categories"]} if item["categories"] else {}),
                }
                for item in said["inputs"]
            ],
        },
    }
    (tmp_path / "bundle.yaml").write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
    path = bundles.build(tmp_path / "bundle.yaml", settings)[0]
    return opened_bundle(folder.find(path, settings)), rows, wanted
