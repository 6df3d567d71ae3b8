"""XGBoost and LightGBM by onnxmltools, LightGBM's own text, and CatBoost's own export."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import catboost
import data
import lightgbm
import numpy as np
import onnxmltools
import pandas as pd
import xgboost
from cases import Case
from onnxmltools.convert.common.data_types import FloatTensorType

ONNXMLTOOLS = f"onnxmltools {onnxmltools.__version__}"


def cases() -> Iterator[Case]:
    """Each library on two classes, on seven, and on a number."""
    for task, rows in {"binary": data.phishing(), "many": data.segments(), "regression": data.flow()}.items():
        yield from _xgboost(task, rows)
        yield from _catboost(task, rows)
        yield from _lightgbm(task, rows)
    yield from _lightgbm_categories(data.flares())


def _xgboost(task: str, rows: data.Rows) -> Iterator[Case]:
    small = {"n_estimators": 8, "max_depth": 4, "base_score": 0.5}
    if task == "regression":
        model: Any = xgboost.XGBRegressor(**small).fit(rows.matrix, rows.label)
        scores = model.predict(rows.matrix)
    else:
        model = xgboost.XGBClassifier(**small).fit(rows.matrix, rows.codes)
        scores = _of(task, model.predict_proba(rows.matrix))

    def write(folder: Path) -> None:
        _save(onnxmltools.convert_xgboost(model, initial_types=_floats(rows)), folder)

    toolchain = f"XGBoost {xgboost.__version__}, {ONNXMLTOOLS}"
    yield Case(name=f"xgboost-{task}", toolchain=toolchain, kind=task, rows=rows, scores=scores, write=write)


def _catboost(task: str, rows: data.Rows) -> Iterator[Case]:
    small = {"iterations": 8, "depth": 4, "verbose": False, "random_seed": 1, "allow_writing_files": False}
    if task == "regression":
        model: Any = catboost.CatBoostRegressor(**small).fit(rows.matrix, rows.label)
        scores = model.predict(rows.matrix)
    else:
        model = catboost.CatBoostClassifier(**small).fit(pd.DataFrame(rows.columns), rows.label)
        scores = _of(task, model.predict_proba(rows.matrix))

    def write(folder: Path) -> None:
        model.save_model(str(folder / "model.onnx"), format="onnx")

    toolchain = f"CatBoost {catboost.__version__}"
    yield Case(name=f"catboost-{task}", toolchain=toolchain, kind=task, rows=rows, scores=scores, write=write)


def _lightgbm(task: str, rows: data.Rows) -> Iterator[Case]:
    small = {"n_estimators": 8, "num_leaves": 12, "verbose": -1}
    frame = pd.DataFrame(rows.columns)
    if task == "regression":
        model: Any = lightgbm.LGBMRegressor(**small).fit(frame, rows.label)
        scores = model.predict(frame)
    else:
        model = lightgbm.LGBMClassifier(**small).fit(frame, rows.codes)
        scores = _of(task, model.predict_proba(frame))

    def text(folder: Path) -> None:
        model.booster_.save_model(folder / "model.txt")

    toolchain = f"LightGBM {lightgbm.__version__}"
    kind = f"{task}, text"
    name = f"lightgbm-{task}-text"
    yield Case(name=name, toolchain=toolchain, kind=kind, rows=rows, scores=scores, write=text, file="model.txt")
    for zipmap in (True, False) if task != "regression" else (True,):

        def write(folder: Path, zipmap: bool = zipmap) -> None:
            _save(onnxmltools.convert_lightgbm(model, initial_types=_floats(rows), zipmap=zipmap), folder)

        name = f"lightgbm-{task}{'-zipmap' if zipmap and task != 'regression' else ''}"
        yield Case(name=name, toolchain=f"{toolchain}, {ONNXMLTOOLS}", kind=task, rows=rows, scores=scores, write=write)


def _lightgbm_categories(rows: data.Rows) -> Iterator[Case]:
    """LightGBM's own text of a frame with categories."""
    frame = pd.DataFrame(
        {
            item.name: pd.Categorical(rows.columns[item.name], item.categories)
            if item.categories
            else rows.columns[item.name]
            for item in rows.inputs
        }
    )
    model = lightgbm.LGBMClassifier(n_estimators=8, num_leaves=12, verbose=-1, min_data_per_group=10)
    model.fit(frame, rows.codes)
    scores = model.predict_proba(frame)[:, 1]

    def write(folder: Path) -> None:
        model.booster_.save_model(folder / "model.txt")

    toolchain = f"LightGBM {lightgbm.__version__}"
    name = "lightgbm-categories-text"
    kind = "binary, text, categories"
    yield Case(name=name, toolchain=toolchain, kind=kind, rows=rows, scores=scores, write=write, file="model.txt")


def _of(task: str, probabilities: np.ndarray) -> np.ndarray:
    return probabilities[:, 1] if task == "binary" else probabilities


def _floats(rows: data.Rows) -> list[Any]:
    return [("X", FloatTensorType([None, rows.matrix.shape[1]]))]


def _save(model: Any, folder: Path) -> None:
    (folder / "model.onnx").write_bytes(model.SerializeToString())
