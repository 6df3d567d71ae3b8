"""scikit-learn's models by skl2onnx, as its documentation shows: with ZipMap and without, and in pipelines."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import data
import numpy as np
import pandas as pd
import skl2onnx
import sklearn
from cases import Case
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType
from sklearn import calibration, ensemble, linear_model, naive_bayes, neighbors, neural_network, svm, tree
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

TOOLCHAIN = f"scikit-learn {sklearn.__version__}, skl2onnx {skl2onnx.__version__}"

SMALL = {"hidden_layer_sizes": (12,), "max_iter": 60, "random_state": 1}


def cases() -> Iterator[Case]:
    """Classifiers on two classes and on seven, with ZipMap and without, regressions, and pipelines."""
    phishing, segments, flow, flares = data.phishing(), data.segments(), data.flow(), data.flares()
    for kind, model in _classifiers().items():
        model.fit(phishing.matrix, phishing.label)
        for zipped in (True, False):
            name = f"sklearn-{kind}{'-zipmap' if zipped else ''}"
            yield _matrix(name, kind, phishing, model, model.predict_proba(phishing.matrix)[:, 1], zipmap=zipped)
    for kind, model in _of_many_classes().items():
        model.fit(segments.matrix, segments.label)
        for zipped in (True, False):
            name = f"sklearn-many-{kind}{'-zipmap' if zipped else ''}"
            yield _matrix(name, kind, segments, model, model.predict_proba(segments.matrix), zipmap=zipped)
    for kind, model in _regressors().items():
        model.fit(flow.matrix, flow.label)
        yield _matrix(f"sklearn-regression-{kind}", kind, flow, model, model.predict(flow.matrix))
    yield from _other_inputs(phishing, flow)
    yield from _with_texts(flares)


def _classifiers() -> dict[str, Any]:
    return {
        "logistic": make_pipeline(StandardScaler(), linear_model.LogisticRegression()),
        "sgd": make_pipeline(MinMaxScaler(), linear_model.SGDClassifier(loss="log_loss", random_state=1)),
        "tree": tree.DecisionTreeClassifier(max_depth=6, random_state=1),
        "forest": ensemble.RandomForestClassifier(15, max_depth=8, random_state=1),
        "extra-trees": ensemble.ExtraTreesClassifier(15, max_depth=8, random_state=1),
        "boosting": ensemble.GradientBoostingClassifier(n_estimators=15, random_state=1),
        "hist-boosting": ensemble.HistGradientBoostingClassifier(max_iter=15, random_state=1),
        "adaboost": ensemble.AdaBoostClassifier(n_estimators=10, random_state=1),
        "neighbours": neighbors.KNeighborsClassifier(7),
        "bayes": naive_bayes.GaussianNB(),
        "network": make_pipeline(StandardScaler(), neural_network.MLPClassifier(**SMALL)),
        "calibrated": calibration.CalibratedClassifierCV(linear_model.LogisticRegression(), cv=2),
    }


def _of_many_classes() -> dict[str, Any]:
    return {
        "logistic": make_pipeline(StandardScaler(), linear_model.LogisticRegression(max_iter=300)),
        "forest": ensemble.RandomForestClassifier(10, max_depth=8, random_state=1),
        "hist-boosting": ensemble.HistGradientBoostingClassifier(max_iter=5, random_state=1),
        "network": make_pipeline(StandardScaler(), neural_network.MLPClassifier(**SMALL)),
    }


def _regressors() -> dict[str, Any]:
    return {
        "linear": linear_model.LinearRegression(),
        "forest": ensemble.RandomForestRegressor(10, max_depth=8, random_state=1),
        "boosting": ensemble.GradientBoostingRegressor(n_estimators=15, random_state=1),
        "hist-boosting": ensemble.HistGradientBoostingRegressor(max_iter=15, random_state=1),
        "network": make_pipeline(StandardScaler(), neural_network.MLPRegressor(**SMALL | {"max_iter": 200})),
        "support-vectors": make_pipeline(StandardScaler(), svm.SVR()),
        "neighbours": neighbors.KNeighborsRegressor(5),
    }


def _other_inputs(phishing: data.Rows, flow: data.Rows) -> Iterator[Case]:
    """The same matrix as float64, as int64, as one input a column, and with one row at a time fixed in the file."""
    model = make_pipeline(StandardScaler(), linear_model.LogisticRegression()).fit(phishing.matrix, phishing.label)
    scores = model.predict_proba(phishing.matrix)[:, 1]
    k = len(phishing.inputs)
    yield _case("sklearn-float64", "logistic, float64", phishing, model, scores, [("X", DoubleTensorType([None, k]))])
    yield _case("sklearn-one-row", "logistic, batch of 1", phishing, model, scores, [("X", FloatTensorType([1, k]))])
    apart = [(item.name, FloatTensorType([None, 1])) for item in phishing.inputs]
    frame = make_pipeline(
        ColumnTransformer([("all", StandardScaler(), list(phishing.columns))]), linear_model.LogisticRegression()
    ).fit(pd.DataFrame(phishing.columns), phishing.label)
    scores = frame.predict_proba(pd.DataFrame(phishing.columns))[:, 1]
    yield _case("sklearn-columns", "logistic, an input a column", phishing, frame, scores, apart)
    whole = data.Rows(
        "regression",
        (data.Column("hour", "int"), data.Column("weekday", "int")),
        {name: flow.columns[name].astype(np.int64) for name in ("hour", "weekday")},
        flow.label,
    )
    trees = tree.DecisionTreeRegressor(max_depth=6, random_state=1).fit(whole.matrix, whole.label)
    scores = trees.predict(whole.matrix)
    yield _case("sklearn-int64", "tree, int64", whole, trees, scores, [("X", Int64TensorType([None, 2]))])


def _with_texts(flares: data.Rows) -> Iterator[Case]:
    """Columns of text beside numbers: an input for each, an input for each kind, and text alone."""
    texts = [item.name for item in flares.inputs if item.categories]
    numbers = [item.name for item in flares.inputs if not item.categories]
    frame = pd.DataFrame(flares.columns)
    encode, scale = OneHotEncoder(handle_unknown="ignore"), make_pipeline(SimpleImputer(), StandardScaler())
    split = ColumnTransformer([("texts", encode, texts), ("numbers", scale, numbers)])
    for kind, last in {
        "logistic": linear_model.LogisticRegression(),
        "forest": ensemble.RandomForestClassifier(10, max_depth=6, random_state=1),
    }.items():
        model = make_pipeline(split, last).fit(frame, flares.label)
        apart = [
            (item.name, (StringTensorType if item.categories else FloatTensorType)([None, 1])) for item in flares.inputs
        ]
        scores = model.predict_proba(frame)[:, 1]
        yield _case(f"sklearn-texts-{kind}", f"{kind}, an input a column", flares, model, scores, apart)
    at = list(range(len(texts))), list(range(len(texts), len(texts) + len(numbers)))
    groups = ColumnTransformer([("texts", encode, at[0]), ("numbers", scale, at[1])])
    both = np.column_stack([flares.texts, flares.matrix.astype(object)])
    model = make_pipeline(groups, linear_model.LogisticRegression()).fit(both, flares.label)
    kinds = [("texts", StringTensorType([None, len(texts)])), ("numbers", FloatTensorType([None, len(numbers)]))]
    scores = model.predict_proba(both)[:, 1]
    yield _case("sklearn-texts-groups", "logistic, an input a kind", flares, model, scores, kinds)
    alone = data.Rows(
        "binary",
        tuple(item for item in flares.inputs if item.categories),
        {name: flares.columns[name] for name in texts},
        flares.label,
        flares.classes,
    )
    last = ensemble.GradientBoostingClassifier(n_estimators=10, random_state=1)
    model = make_pipeline(OrdinalEncoder(), last).fit(alone.texts, alone.label)
    scores = model.predict_proba(alone.texts)[:, 1]
    one = [("texts", StringTensorType([None, len(texts)]))]
    yield _case("sklearn-texts-alone", "boosting, text alone", alone, model, scores, one)


def _matrix(name: str, kind: str, rows: data.Rows, model: Any, scores: np.ndarray, zipmap: bool = True) -> Case:
    return _case(name, kind, rows, model, scores, [("X", FloatTensorType([None, rows.matrix.shape[1]]))], zipmap)


def _case(
    name: str, kind: str, rows: data.Rows, model: Any, scores: np.ndarray, inputs: list[Any], zipmap: bool = True
) -> Case:
    options = None if zipmap else {id(model): {"zipmap": False}}

    def write(folder: Path) -> None:
        with warnings.catch_warnings(action="ignore"):
            made = skl2onnx.convert_sklearn(model, initial_types=inputs, options=options)
        (folder / "model.onnx").write_bytes(made.SerializeToString())

    return Case(name=name, toolchain=TOOLCHAIN, kind=kind, rows=rows, scores=scores, write=write)
