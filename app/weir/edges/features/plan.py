"""Feature plans: what views and feature services are made of, written by `weir apply` and read without Feast."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from weir.core.errors import Refused
from weir.core.features import ServicePlan, ViewPlan
from weir.settings import Settings

FORMAT = 2  # of plan.json; a file of another one is refused rather than guessed at


def path(settings: Settings) -> Path:
    """The file that holds the plans of every feature service."""
    return settings.paths.home / "features" / "plan.json"


def save(settings: Settings, plans: Iterable[ServicePlan], views: Iterable[ViewPlan] = ()) -> None:
    """Write the plans, all at once: a reader sees the old file or the new one.

    views: whole, for those who write them; a service may read a part of each.
    """
    content = {
        "format": FORMAT,
        "services": {plan.service: asdict(plan) for plan in plans},
        "views": {view.name: asdict(view) for view in views},
    }
    target = path(settings)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    draft.replace(target)


def load(settings: Settings, service: str) -> ServicePlan:
    """The plan of one feature service. Raises Refused as `load_all` does, and when the file lacks the service."""
    plans = {plan.service: plan for plan in load_all(settings)}
    if service not in plans:
        raise Refused(
            f"feature service {service} is not among {', '.join(sorted(plans))}",
            where=str(path(settings)),
            remedy="define it in feature_repo/ and run `weir apply`",
        )
    return plans[service]


def load_columns(settings: Settings, service: str, columns: Iterable[str]) -> ServicePlan:
    """The plan of these columns of a feature service.

    Raises Refused as `load` does, for a column that is not there, and for one that no model can read.
    """
    try:
        return load(settings, service).reading(columns)
    except ValueError as error:
        raise Refused(
            str(error),
            where=str(path(settings)),
            remedy="name other features of the service, or add them in feature_repo/ and run `weir apply`",
        ) from error


def load_all(settings: Settings) -> tuple[ServicePlan, ...]:
    """The plans of every feature service, at least one. Raises Refused: no plan file, or another version's."""
    return tuple(
        ServicePlan(raw["project"], raw["service"], tuple(_view(view) for view in raw["views"]))
        for raw in _read(settings)["services"].values()
    )


def load_views(settings: Settings) -> dict[str, ViewPlan]:
    """Every applied feature view by name, whole: as it is written. Raises Refused as `load_all` does."""
    return {name: _view(raw) for name, raw in _read(settings)["views"].items()}


def _read(settings: Settings) -> dict[str, Any]:
    source = path(settings)
    remedy = "run `weir apply`"
    try:
        content = json.loads(source.read_text())
    except FileNotFoundError:
        raise Refused("the feature repository was never applied", where=str(source), remedy=remedy) from None
    except (OSError, ValueError) as error:
        raise Refused(f"the feature plan cannot be read: {error}", where=str(source), remedy=remedy) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT or not content.get("services"):
        raise Refused("the feature plan was written by another version of Weir", where=str(source), remedy=remedy)
    return content


def _view(raw: dict[str, Any]) -> ViewPlan:
    return ViewPlan(
        raw["name"],
        tuple(raw["join_keys"]),
        tuple(raw["features"]),
        tuple(raw["dtypes"]),
        raw["ttl_s"],
        tuple(raw["key_types"]),
    )
