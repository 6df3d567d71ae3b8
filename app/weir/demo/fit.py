"""The flight-delay models, from flights to bundles. Loads the training libraries; demo.training calls it if needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.features import FeatureBlock, ServicePlan
from weir.demo import card, check, export
from weir.demo.flights import Flights, Progress
from weir.demo.recipe import CUT_MS, HOLDOUT_MS, PARAMETERS, STEPS, TOLERANCE, TREES
from weir.demo.rolling.history import clock_hours, history
from weir.demo.siblings import SIBLINGS, Sibling
from weir.demo.signature import LATE_MIN, SERVICE, SIGNATURE
from weir.edges.features import training_frame as feature_offline
from weir.scoring.assemble import Assembler
from weir.settings import Settings

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Examples:
    """Training rows by request time.

    matrix: float32[n, k]. late_min: float32[n], minutes, below 0 when early. event_ms: int64[n].
    """

    matrix: Floats
    late_min: Floats
    event_ms: npt.NDArray[np.int64]

    @property
    def labels(self) -> Floats:
        """float32[n], 1 for a late flight and 0 for another."""
        return (self.late_min >= LATE_MIN).astype(np.float32)


def build(settings: Settings, plan: ServicePlan, flights: Flights, say: Progress) -> dict[str, Path]:
    """Train on `flights` and write the bundles, by service. say: called from step 2 of STEPS on. Raises Refused."""
    say(2, STEPS, "rolling statistics, hour by hour")
    write_history(settings, flights)
    say(3, STEPS, "joining features as of each request")
    known = examples(settings, flights, plan)
    say(4, STEPS, "training on January to May, tested on June")
    holdout = _holdout_auc(known)
    say(5, STEPS, "training on January to June")
    booster = train(known.matrix, known.labels)
    say(6, STEPS, "building the bundle")
    built = {SERVICE: write(settings, plan, booster, known, holdout)}
    say(7, STEPS, "the same for minutes and for three classes")
    return built | {sibling.service: write_sibling(settings, plan, sibling, known) for sibling in SIBLINGS}


def write_history(settings: Settings, flights: Flights) -> None:
    """What the online store held hour by hour until the end of training, as the views' batch sources."""
    at_ms = flights.events["event_time"].cast(pa.int64()).to_numpy()
    until = flights.events.slice(0, int(np.searchsorted(at_ms, CUT_MS, "right")))
    for view, rows in history(until, clock_hours(int(at_ms[0]) * 1000, CUT_MS * 1000)).items():
        feature_offline.write_history(settings, view, rows)


def examples(settings: Settings, flights: Flights, plan: ServicePlan) -> Examples:
    """Requests of January to June whose outcome was known by the end of June, features as of their time."""
    landed_ms = flights.outcomes["occurred_at"].cast(pa.int64()).to_numpy()
    landed = flights.outcomes.filter(pa.array(landed_ms < CUT_MS)).sort_by("request_row")
    rows = landed["request_row"].to_numpy()
    requests = flights.requests.take(pa.array(rows)).combine_chunks()
    block = _join(settings, requests, plan)
    assembled = Assembler(SIGNATURE, plan).build(requests.to_batches()[0], block)
    event_ms = requests["event_time"].cast(pa.int64()).to_numpy()
    keep = assembled.usable  # a row that the scorer would reject teaches nothing that it could use
    return Examples(assembled.matrix[keep], landed["observed"].to_numpy().astype(np.float32)[keep], event_ms[keep])


def train(
    matrix: Floats, targets: Floats, parameters: Mapping[str, Any] = PARAMETERS, rounds: int = TREES
) -> lgb.Booster:
    """A booster; the same rows give the same trees."""
    return lgb.train(dict(parameters), lgb.Dataset(matrix, targets, feature_name=list(SIGNATURE.names)), rounds)


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
    """The bundle of the flight-delay model. holdout: AUC on June. Raises Refused."""
    return export.write(
        settings,
        plan,
        export.Trained(
            service=SERVICE,
            model="flight-delay-lightgbm",
            signature=SIGNATURE,
            booster=booster,
            matrix=known.matrix,
            labels=pa.array(known.labels),
            tolerance=TOLERANCE,
            purpose=card.PURPOSE,
            quality=f"AUC {holdout:.4f} on June when trained on January to May.",
            metrics={**_share(known), "auc_june": holdout},
        ),
    )


def write_sibling(settings: Settings, plan: ServicePlan, sibling: Sibling, known: Examples) -> Path:
    """Train one of the further services' models on the same rows, and write its bundle. Raises Refused."""
    targets = sibling.targets(known.late_min)
    return export.write(
        settings,
        plan,
        export.Trained(
            service=sibling.service,
            model=sibling.model,
            signature=sibling.signature,
            booster=train(known.matrix, targets, PARAMETERS | dict(sibling.parameters), sibling.rounds),
            matrix=known.matrix,
            labels=sibling.labels(known.late_min),
            tolerance=sibling.tolerance,
            purpose=sibling.purpose,
            quality="How good it is, the demo says: of flights after its training.",
            metrics=_share(known),
        ),
    )


def _share(known: Examples) -> dict[str, float]:
    return {"training_late_share": float(known.labels.mean())}
