"""A trained booster as a bundle: converted to ONNX, held to its booster, and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import onnx
import pyarrow as pa

from weir.core.bundle import Bundle
from weir.core.errors import Refused
from weir.core.features import ServicePlan
from weir.core.signature import Signature
from weir.demo import card
from weir.demo.recipe import BASELINE_ROWS, FUZZED_ROWS, GOLDEN_ROWS, TRAINING_FROM, TRAINING_TO, VERSION
from weir.edges.bundles import writer as bundle_writer
from weir.edges.bundles.lightgbm_onnx import Equality, compare, convert, fuzz, predicted
from weir.edges.bundles.onnx_model import Model
from weir.edges.bundles.rows import score_columns
from weir.settings import Settings

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A booster, the rows it was trained on, and what it is for.

    matrix: float32[n, k]. labels: [n], what came true of each row, as a baseline holds it. purpose, quality: for the
    card. tolerance: how far ONNX Runtime may be from the booster, in the unit of the score. metrics: what is known of
    it so far.
    """

    service: str
    model: str
    signature: Signature
    booster: lgb.Booster
    matrix: Floats
    labels: pa.Array
    tolerance: float
    purpose: str
    quality: str
    metrics: Mapping[str, float]


def write(settings: Settings, plan: ServicePlan, trained: Trained) -> Path:
    """The bundle of a booster; the same rows and trees give the same one. Raises Refused where the export is off."""
    rng = np.random.default_rng(7)
    matrix, booster = trained.matrix, trained.booster
    model = convert(booster, trained.signature.input_tensor, trained.signature.output_tensor)
    runnable = _runnable(settings, model)
    golden_rows = _some(rng, len(matrix), GOLDEN_ROWS)
    found = {
        "golden": compare(booster, runnable, matrix[golden_rows], trained.signature),
        "fuzzed": compare(booster, runnable, fuzz(booster, matrix, FUZZED_ROWS, rng), trained.signature),
    }
    bundle = _bundle(plan, trained, found)
    reference = _some(rng, len(matrix), BASELINE_ROWS)
    return bundle_writer.build(
        bundle,
        model,
        golden=_scored(trained, golden_rows),
        baseline=_scored(trained, reference).append_column("label", trained.labels.take(pa.array(reference))),
        card=card.write(bundle, booster, trained.purpose, trained.quality),
        into=settings.paths.bundles_dir,
    ).resolve()


def _runnable(settings: Settings, model: onnx.ModelProto) -> Model:
    settings.paths.bundles_dir.mkdir(parents=True, exist_ok=True)
    draft = settings.paths.bundles_dir / ".draft.onnx"
    draft.write_bytes(model.SerializeToString())
    try:
        return Model(draft)
    finally:
        draft.unlink()


def _some(rng: np.random.Generator, n: int, most: int) -> npt.NDArray[np.int64]:
    """Some of n rows, ascending."""
    return np.sort(rng.choice(n, min(most, n), replace=False))


def _bundle(plan: ServicePlan, trained: Trained, found: Mapping[str, Equality]) -> Bundle:
    metrics = {"training_rows": float(len(trained.matrix)), **trained.metrics}
    for what, equality in found.items():
        if not equality.max_abs_diff <= trained.tolerance:
            fault = f"the export is off by {equality.max_abs_diff:g} on {what} rows of {trained.service}"
            raise Refused(fault, remedy="report this as a fault")
        metrics[f"{what}_rows"] = float(equality.rows)
        metrics[f"{what}_max_abs_diff"] = equality.max_abs_diff
        metrics[f"{what}_decision_flips"] = float(equality.decision_flips)
    return Bundle(
        service=trained.service,
        name=trained.model,
        version=VERSION,
        owner="weir-demo",
        signature=trained.signature,
        digest="",
        feature_service=plan.service,
        feature_fingerprint=plan.reading(trained.signature.looked_up).fingerprint,
        training_from=TRAINING_FROM,
        training_to=TRAINING_TO,
        tolerance=trained.tolerance,
        metrics=metrics,
    )


def _scored(trained: Trained, rows: npt.NDArray[np.int64]) -> pa.Table:
    """Inputs by name, and LightGBM's own scores."""
    matrix = trained.matrix[rows]
    columns = {name: matrix[:, i] for i, name in enumerate(trained.signature.names)}
    scores = predicted(trained.booster, matrix).astype(np.float32)
    columns |= {name: scores[:, i] for i, name in enumerate(score_columns(trained.signature))}
    return pa.table({name: pa.array(np.ascontiguousarray(column)) for name, column in columns.items()})
