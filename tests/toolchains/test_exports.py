"""Every toolchain's own export: built from a specification, asked through the scorer's code, every score compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from weir.core.bundle import RELATIVE
from weir.core.errors import Refused
from weir.edges.bundles.onnx_model import TREES
from weir.operations.score import score
from weir.settings import Settings, load

from tests.toolchains import environment
from tests.toolchains.case import build

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
# What the names of tree ensembles have in them. AdaBoost exports one operator for each of its trees.
TREES_IN = ("-tree", "forest", "extra-trees", "boosting", "xgboost", "catboost", "lightgbm")
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
        build(cases / name, tmp_path, settings)
    assert ("give LightGBM's own text" in str(refused.value)) == name.startswith("lightgbm")


def held(case: Path, tmp_path: Path, settings: Settings) -> None:
    """Build, ask for every row, compare, and say what was seen (`pytest -rP` shows it)."""
    opened, table, wanted = build(case, tmp_path, settings)
    signature = opened.bundle.signature
    of_trees = any(word in case.name for word in TREES_IN) and "texts" not in case.name
    assert (opened.model.engine == TREES) == of_trees, opened.model.runs_on
    done = score(opened, None, table.select(signature.names))
    assert done["rejected"].null_count == table.num_rows
    names = [f"score_{name}" for name in signature.outputs] or ["score"]
    found = np.column_stack([done[name].to_numpy() for name in names])
    difference = np.abs(found - wanted)
    assert (difference <= np.maximum(ABSOLUTE, RELATIVE * np.abs(wanted))).all(), difference.max()
    if signature.outputs:
        assert done["decision"].to_pylist() == [signature.classes[at] for at in found.argmax(axis=1)]
    print(f"{case.name}: {table.num_rows} rows, largest difference {difference.max():.1e}")
