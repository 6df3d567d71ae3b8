"""The ONNX form of a LightGBM model gives LightGBM's own scores, also next to every threshold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from weir.core.signature import Input, Signature, Source, Task
from weir.edges.bundles.lightgbm_onnx import ZERO, compare, convert, float32_threshold, fuzz
from weir.edges.bundles.onnx_model import Model

TOLERANCE = 1e-6
COLUMNS = 8
INPUTS = tuple(Input(name=f"f{i}", source=Source.REQUEST, ref=f"f{i}") for i in range(COLUMNS))
SIGNATURE = Signature(inputs=INPUTS, threshold=0.3)
QUIET = {"verbosity": -1, "num_threads": 1, "seed": 3, "deterministic": True, "min_data_in_leaf": 5, "num_leaves": 31}


def training_rows(rng: np.random.Generator, n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    x = rng.normal(0, 3, (n, COLUMNS)).astype(np.float32)
    x[:, 1] = np.round(x[:, 1])  # ties
    x[:, 2] = rng.integers(0, 40, n)  # categories, more than 32 of them
    x[:, 3] = rng.integers(0, 3, n)
    x[rng.random(n) < 0.2, 4] = np.nan
    x[:, 5] *= 1e6
    x[:, 6] *= 1e-6
    odds = x[:, 0] + np.isin(x[:, 2], (1, 5, 33, 39)) * 2 - (x[:, 3] == 2) + np.isnan(x[:, 4]) + x[:, 1] / 3
    return x, (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(np.float64)


def onnx_model(booster: lgb.Booster, tmp_path: Path) -> Model:
    path = tmp_path / "model.onnx"
    path.write_bytes(convert(booster).SerializeToString())
    return Model(path)


@pytest.mark.parametrize("categorical", ["auto", [2, 3]])
@pytest.mark.parametrize("objective", ["binary", "regression", "multiclass", "multiclassova"])
@pytest.mark.parametrize("use_missing", [True, False])
def test_scores_are_lightgbms_on_seen_and_fuzzed_rows(
    tmp_path: Path, categorical: Any, objective: str, use_missing: bool
) -> None:
    rng = np.random.default_rng(11)
    x, y = training_rows(rng)
    if not use_missing:
        x = np.nan_to_num(x)
    options, signature = {**QUIET, "objective": objective, "use_missing": use_missing}, SIGNATURE
    if objective.startswith("multiclass"):
        y = y + (x[:, 3] == 2)
        options["num_class"] = 3
        signature = Signature(inputs=INPUTS, task=Task.MULTICLASS, classes=("a", "b", "c"))
    booster = lgb.train(options, lgb.Dataset(x, y, categorical_feature=categorical), 40)
    rows = np.concatenate([x, fuzz(booster, x, 6000, rng)])
    found = compare(booster, onnx_model(booster, tmp_path), rows, signature)
    assert found.rows == 10_000
    assert found.max_abs_diff <= TOLERANCE
    assert found.decision_flips == 0


def test_rounding_to_nearest_would_not_do(tmp_path: Path) -> None:
    """The same rows, thresholds rounded to the nearest float32: this is what the exporter is for."""
    rng = np.random.default_rng(12)
    x, y = training_rows(rng)
    booster = lgb.train({**QUIET, "objective": "binary"}, lgb.Dataset(x, y), 40)
    rows = fuzz(booster, x, 6000, rng)
    model = convert(booster)
    thresholds = booster.trees_to_dataframe().threshold.dropna().astype(float)
    nearest = {float32_threshold(t): float(np.float32(t)) for t in thresholds if abs(t) < 1e38}
    for attribute in model.graph.node[0].attribute:
        if attribute.name == "nodes_values":
            attribute.floats[:] = [nearest.get(value, value) for value in attribute.floats]
    path = tmp_path / "nearest.onnx"
    path.write_bytes(model.SerializeToString())
    assert compare(booster, Model(path), rows, SIGNATURE).max_abs_diff > 100 * TOLERANCE


def test_a_model_that_never_split_is_its_constant(tmp_path: Path) -> None:
    x = np.zeros((50, COLUMNS), np.float32)
    booster = lgb.train({**QUIET, "objective": "binary"}, lgb.Dataset(x, np.arange(50) % 5 == 0), 3)
    assert compare(booster, onnx_model(booster, tmp_path), x, SIGNATURE).max_abs_diff <= TOLERANCE


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"objective": "binary", "sigmoid": 2.0}, "objective"),
        ({"objective": "regression", "reg_sqrt": True}, "objective"),
        ({"objective": "regression", "linear_tree": True}, "linear"),
        ({"objective": "binary", "zero_as_missing": True}, "zero_as_missing"),
        ({"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}, "random forest"),
    ],
)
def test_what_has_no_exact_form_is_refused(options: dict[str, Any], says: str) -> None:
    rng = np.random.default_rng(5)
    x, y = training_rows(rng, 500)
    y = rng.integers(0, 3, 500) if "num_class" in options else y
    booster = lgb.train({**QUIET, **options}, lgb.Dataset(np.nan_to_num(x), y), 3)
    with pytest.raises(ValueError, match=says):
        convert(booster)


@given(st.floats(allow_nan=False, min_value=-1e299, max_value=1e299), st.floats(width=32, allow_nan=False))
def test_a_float32_compares_alike_with_a_double_and_with_its_float32(threshold: float, x: float) -> None:
    as_lightgbm_reads_it = x if abs(x) > ZERO else 0.0
    assert (as_lightgbm_reads_it <= threshold) == (np.float32(x) <= np.float32(float32_threshold(threshold)))
