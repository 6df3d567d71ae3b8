"""From raw events to a bundle: hourly snapshots, a point-in-time join by Feast, LightGBM, ONNX.

The training matrix is assembled by the scorer's own code from the joined features, so a value means the same in both.
One difference is left, and wanted: a stale value is null in the join, that is missing, while the scorer can tell the
two apart (demo.signature says what each becomes).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from app.core.bundle import Bundle
from app.core.errors import Refused
from app.core.features import FeatureBlock, ServicePlan
from app.demo import card, check, data
from app.demo.data import Flights, Progress
from app.demo.signature import FEATURE_SERVICE, SERVICE, SIGNATURE
from app.edges import bundle_store, bundle_writer, feature_plan
from app.edges.lightgbm_onnx import compare, convert, fuzz
from app.edges.onnx_model import Model
from app.rolling.history import clock_hours, history
from app.scoring.assemble import Assembler
from app.settings import Settings

Floats = npt.NDArray[np.float32]

TRAINING_FROM, TRAINING_TO = "2013-01-01", "2013-06-30"
CUT_MS = int(np.datetime64("2013-07-01T04:00", "ms").astype(np.int64))   # midnight in New York
HOLDOUT_MS = int(np.datetime64("2013-06-01T04:00", "ms").astype(np.int64))
VERSION = "1"
TOLERANCE = 1e-6

# Chosen for the price of a score (4.3 us a row on one core), not tuned: 150 trees of 63 leaves rank as well and cost
# 8 us. Categories enter as numbers; LightGBM's own categorical splits gain 0.000 AUC here and double the price.
TREES = 120
PARAMETERS = {
    "objective": "binary", "num_leaves": 31, "learning_rate": 0.08, "min_data_in_leaf": 1000, "lambda_l2": 10.0,
    "feature_fraction": 0.5, "bagging_fraction": 0.8, "bagging_freq": 1,
    "seed": 7, "deterministic": True, "force_row_wise": True, "verbosity": -1,
}  # fmt: skip
GOLDEN_ROWS, FUZZED_ROWS, BASELINE_ROWS = 1_000, 20_000, 20_000
STEPS = 7


@dataclass(frozen=True, slots=True)
class Examples:
    """Training rows by request time. matrix: float32[n, k]; labels: float32[n], 0 or 1; event_ms: int64[n]."""

    matrix: Floats
    labels: Floats
    event_ms: npt.NDArray[np.int64]


def build(settings: Settings, progress: Progress | None = None) -> Path:
    """The flight-delay bundle: the one that an earlier run built from the same recipe and features, else a new one.

    Applies the feature repository. progress: called with (done, total, what) before each step.
    Raises Refused or Unavailable.
    """
    say = progress or (lambda done, total, what: None)
    say(0, STEPS, "applying the feature repository")
    plan = _apply(settings)
    if found := existing(settings, plan):
        say(STEPS, STEPS, "bundle of an earlier run")
        return found
    say(1, STEPS, "reading the flights")
    flights = data.load(settings)
    say(2, STEPS, "rolling statistics, hour by hour")
    write_history(settings, flights)
    say(3, STEPS, "joining features as of each request")
    known = examples(settings, flights, plan)
    say(4, STEPS, "training, tested on June")
    holdout = _holdout_auc(known)
    say(5, STEPS, "training on January to June")
    booster = train(known.matrix, known.labels)
    say(6, STEPS, "building the bundle")
    path = _write(settings, plan, booster, known, holdout)
    _pointer(settings).write_text(json.dumps({"recipe": recipe(plan), "digest": path.name}))
    say(STEPS, STEPS, "bundle")
    return path


def existing(settings: Settings, plan: ServicePlan) -> Path | None:
    """The bundle of an earlier run, if it is whole and of the same recipe."""
    pointer = _pointer(settings)
    if not pointer.is_file():
        return None
    said = json.loads(pointer.read_text())
    path = settings.bundles_dir / str(said.get("digest"))
    if said.get("recipe") != recipe(plan) or not path.is_dir():
        return None
    bundle_store.read(path)
    return path.resolve()


def recipe(plan: ServicePlan) -> str:
    """Hash of what decides the content of the bundle: data, signature, features, parameters."""
    text = json.dumps([
        data.FORMAT, SIGNATURE.to_dict(), plan.fingerprint, TREES, PARAMETERS, VERSION, TRAINING_FROM, TRAINING_TO,
        GOLDEN_ROWS, FUZZED_ROWS, BASELINE_ROWS, lgb.__version__, card.TEXT,
    ])  # fmt: skip
    return hashlib.sha256(text.encode()).hexdigest()


def write_history(settings: Settings, flights: Flights) -> None:
    """What the online store held hour by hour until the end of training, as the views' batch sources."""
    from app.edges import feature_offline  # noqa: PLC0415 - imports Feast, which takes seconds

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


def _apply(settings: Settings) -> ServicePlan:
    from app.edges import feature_repository  # noqa: PLC0415 - imports Feast, which takes seconds

    feature_repository.apply(settings)
    plans = feature_plan.export(settings)
    for plan in plans:
        if plan.service == FEATURE_SERVICE:
            return plan
    raise Refused(f"the feature repository has no service {FEATURE_SERVICE}", where=str(settings.feature_repo_dir),
                  remedy="the demo needs the feature_repo/ that Weir ships")  # fmt: skip


def _join(settings: Settings, requests: pa.Table, plan: ServicePlan) -> FeatureBlock:
    """Features as of each request, in the plan's order. What is null there is missing."""
    from app.edges import feature_offline  # noqa: PLC0415 - imports Feast, which takes seconds

    keys = sorted({key for view in plan.views for key in view.join_keys})
    asked = requests.select(keys).to_pandas()
    asked["event_timestamp"] = requests["event_time"].to_pandas()
    joined = feature_offline.training_frame(settings, asked, plan.service)
    values = joined[list(plan.columns)].to_numpy(np.float32)
    columns = [[f"{view.name}__{name}" for name in view.features] for view in plan.views]
    found = np.column_stack([joined[names].notna().any(axis=1) for names in columns])
    event_us = requests["event_time"].cast(pa.int64()).to_numpy() * 1000
    return FeatureBlock(values, np.where(found, event_us[:, None], 0), found, 0, 0)


def _write(settings: Settings, plan: ServicePlan, booster: lgb.Booster, known: Examples, holdout: float) -> Path:
    rng = np.random.default_rng(7)
    model = convert(booster, SIGNATURE.input_tensor, SIGNATURE.output_tensor)
    settings.bundles_dir.mkdir(parents=True, exist_ok=True)
    draft = settings.bundles_dir / ".draft.onnx"
    draft.write_bytes(model.SerializeToString())
    try:
        runnable = Model(draft)
    finally:
        draft.unlink()
    golden_rows = np.sort(rng.choice(len(known.labels), GOLDEN_ROWS, replace=False))
    golden = compare(booster, runnable, known.matrix[golden_rows], SIGNATURE.threshold)
    fuzzed = compare(booster, runnable, fuzz(booster, known.matrix, FUZZED_ROWS, rng), SIGNATURE.threshold)
    for what, found in (("golden", golden), ("fuzzed", fuzzed)):
        if not found.max_abs_diff <= TOLERANCE:
            fault = f"the export is off by {found.max_abs_diff:g} on {what} rows"
            raise Refused(fault, remedy="report this as a fault")
    bundle = Bundle(
        service=SERVICE, name="flight-delay-lightgbm", version=VERSION, owner="weir-demo", signature=SIGNATURE,
        digest="", feature_service=plan.service, feature_fingerprint=plan.fingerprint, training_from=TRAINING_FROM,
        training_to=TRAINING_TO, tolerance=TOLERANCE,
        metrics={
            "training_rows": float(len(known.labels)), "training_late_share": float(known.labels.mean()),
            "auc_june": holdout, "golden_rows": float(golden.rows), "golden_max_abs_diff": golden.max_abs_diff,
            "golden_decision_flips": float(golden.decision_flips), "fuzzed_rows": float(fuzzed.rows),
            "fuzzed_max_abs_diff": fuzzed.max_abs_diff, "fuzzed_decision_flips": float(fuzzed.decision_flips),
        },
    )  # fmt: skip
    reference = np.sort(rng.choice(len(known.labels), min(BASELINE_ROWS, len(known.labels)), replace=False))
    baseline = _scored(booster, known.matrix[reference]).append_column("label", pa.array(known.labels[reference]))
    return bundle_writer.build(
        bundle, model, golden=_scored(booster, known.matrix[golden_rows]), baseline=baseline,
        card=card.write(bundle, booster), into=settings.bundles_dir,
    ).resolve()  # fmt: skip


def _scored(booster: lgb.Booster, matrix: Floats) -> pa.Table:
    """Inputs by name, and LightGBM's own scores."""
    scores = np.asarray(booster.predict(matrix)).astype(np.float32)
    columns = {name: pa.array(np.ascontiguousarray(matrix[:, i])) for i, name in enumerate(SIGNATURE.names)}
    return pa.table({**columns, "score": pa.array(scores)})


def _pointer(settings: Settings) -> Path:
    folder = settings.home / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "bundle.json"
