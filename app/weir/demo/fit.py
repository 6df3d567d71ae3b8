"""The flight-delay model, from flights to a bundle. Loads the training libraries; demo.training calls it if needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.bundle import Bundle
from weir.core.errors import Refused
from weir.core.features import FeatureBlock, ServicePlan
from weir.demo import card, check
from weir.demo.flights import Flights, Progress
from weir.demo.recipe import (
    BASELINE_ROWS,
    CUT_MS,
    FUZZED_ROWS,
    GOLDEN_ROWS,
    HOLDOUT_MS,
    PARAMETERS,
    STEPS,
    TOLERANCE,
    TRAINING_FROM,
    TRAINING_TO,
    TREES,
    VERSION,
)
from weir.demo.signature import SERVICE, SIGNATURE
from weir.edges.bundles import writer as bundle_writer
from weir.edges.bundles.lightgbm_onnx import compare, convert, fuzz
from weir.edges.bundles.onnx_model import Model
from weir.edges.features import training_frame as feature_offline
from weir.rolling.history import clock_hours, history
from weir.scoring.assemble import Assembler
from weir.settings import Settings

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Examples:
    """Training rows by request time. matrix: float32[n, k]; labels: float32[n], 0 or 1; event_ms: int64[n]."""

    matrix: Floats
    labels: Floats
    event_ms: npt.NDArray[np.int64]


def build(settings: Settings, plan: ServicePlan, flights: Flights, say: Progress) -> Path:
    """Train on `flights` and write the bundle. say: called from step 2 of STEPS on. Raises Refused."""
    say(2, STEPS, "rolling statistics, hour by hour")
    write_history(settings, flights)
    say(3, STEPS, "joining features as of each request")
    known = examples(settings, flights, plan)
    say(4, STEPS, "training on January to May, tested on June")
    holdout = _holdout_auc(known)
    say(5, STEPS, "training on January to June")
    booster = train(known.matrix, known.labels)
    say(6, STEPS, "building the bundle")
    return write(settings, plan, booster, known, holdout)


def write_history(settings: Settings, flights: Flights) -> None:
    """What the online store held hour by hour until the end of training, as the views' batch sources."""
    at_ms = flights.events["event_time"].cast(pa.int64()).to_numpy()
    until = flights.events.slice(0, int(np.searchsorted(at_ms, CUT_MS, "right")))
    for view, rows in history(until, clock_hours(int(at_ms[0]) * 1000, CUT_MS * 1000)).items():
        feature_offline.write_history(settings, view, rows)


def examples(settings: Settings, flights: Flights, plan: ServicePlan) -> Examples:
    """Requests of January to June whose outcome was known by the end of June, features as of their time."""
    landed_ms = flights.outcomes["occurred_at"].cast(pa.int64()).to_numpy()
    rows = np.sort(flights.outcomes["request_row"].to_numpy()[landed_ms < CUT_MS])
    requests = flights.requests.take(pa.array(rows)).combine_chunks()
    block = _join(settings, requests, plan)
    assembled = Assembler(SIGNATURE, plan).build(requests.to_batches()[0], block)
    event_ms = requests["event_time"].cast(pa.int64()).to_numpy()
    keep = assembled.usable  # a row that the scorer would reject teaches nothing that it could use
    return Examples(assembled.matrix[keep], requests["label"].to_numpy()[keep], event_ms[keep])


def train(matrix: Floats, labels: Floats) -> lgb.Booster:
    """A booster; the same rows give the same trees."""
    return lgb.train(PARAMETERS, lgb.Dataset(matrix, labels, feature_name=list(SIGNATURE.names)), TREES)


def _holdout_auc(known: Examples) -> float:
    """AUC on June of a model trained on January to May."""
    before = known.event_ms < HOLDOUT_MS
    booster = train(known.matrix[before], known.labels[before])
    return check.auc(known.labels[~before], np.asarray(booster.predict(known.matrix[~before])))


def _join(settings: Settings, requests: pa.Table, plan: ServicePlan) -> FeatureBlock:
    """Features as of each request, in the plan's order. What is null there is missing."""
    keys = sorted({key for view in plan.views for key in view.join_keys})
    asked = requests.select(keys).to_pandas()
    asked["event_timestamp"] = requests["event_time"].to_pandas()
    joined = feature_offline.training_frame(settings, asked, plan.service)
    values = joined[list(plan.columns)].to_numpy(np.float32)
    columns = [[f"{view.name}__{name}" for name in view.features] for view in plan.views]
    found = np.column_stack([joined[names].notna().any(axis=1) for names in columns])
    event_us = requests["event_time"].cast(pa.int64()).to_numpy() * 1000
    return FeatureBlock(values, np.where(found, event_us[:, None], 0), found, 0, 0)


def write(settings: Settings, plan: ServicePlan, booster: lgb.Booster, known: Examples, holdout: float) -> Path:
    """Convert a booster, hold the result to it, and write the bundle. holdout: AUC on June. Raises Refused."""
    rng = np.random.default_rng(7)
    model = convert(booster, SIGNATURE.input_tensor, SIGNATURE.output_tensor)
    settings.paths.bundles_dir.mkdir(parents=True, exist_ok=True)
    draft = settings.paths.bundles_dir / ".draft.onnx"
    draft.write_bytes(model.SerializeToString())
    try:
        runnable = Model(draft)
    finally:
        draft.unlink()
    golden_rows = np.sort(rng.choice(len(known.labels), min(GOLDEN_ROWS, len(known.labels)), replace=False))
    golden = compare(booster, runnable, known.matrix[golden_rows], SIGNATURE)
    fuzzed = compare(booster, runnable, fuzz(booster, known.matrix, FUZZED_ROWS, rng), SIGNATURE)
    for what, found in (("golden", golden), ("fuzzed", fuzzed)):
        if not found.max_abs_diff <= TOLERANCE:
            fault = f"the export is off by {found.max_abs_diff:g} on {what} rows"
            raise Refused(fault, remedy="report this as a fault")
    bundle = Bundle(
        service=SERVICE,
        name="flight-delay-lightgbm",
        version=VERSION,
        owner="weir-demo",
        signature=SIGNATURE,
        digest="",
        feature_service=plan.service,
        feature_fingerprint=plan.reading(SIGNATURE.looked_up).fingerprint,
        training_from=TRAINING_FROM,
        training_to=TRAINING_TO,
        tolerance=TOLERANCE,
        metrics={
            "training_rows": float(len(known.labels)),
            "training_late_share": float(known.labels.mean()),
            "auc_june": holdout,
            "golden_rows": float(golden.rows),
            "golden_max_abs_diff": golden.max_abs_diff,
            "golden_decision_flips": float(golden.decision_flips),
            "fuzzed_rows": float(fuzzed.rows),
            "fuzzed_max_abs_diff": fuzzed.max_abs_diff,
            "fuzzed_decision_flips": float(fuzzed.decision_flips),
        },
    )
    reference = np.sort(rng.choice(len(known.labels), min(BASELINE_ROWS, len(known.labels)), replace=False))
    baseline = _scored(booster, known.matrix[reference]).append_column("label", pa.array(known.labels[reference]))
    return bundle_writer.build(
        bundle,
        model,
        golden=_scored(booster, known.matrix[golden_rows]),
        baseline=baseline,
        card=card.write(bundle, booster),
        into=settings.paths.bundles_dir,
    ).resolve()


def _scored(booster: lgb.Booster, matrix: Floats) -> pa.Table:
    """Inputs by name, and LightGBM's own scores."""
    scores = np.asarray(booster.predict(matrix)).astype(np.float32)
    columns = {name: pa.array(np.ascontiguousarray(matrix[:, i])) for i, name in enumerate(SIGNATURE.names)}
    return pa.table({**columns, "score": pa.array(scores)})
