"""Feature plans: what a feature service is made of, written by `weir apply` and read without Feast."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from weir.core.errors import Refused
from weir.core.feature_fingerprint import view_to_dict
from weir.core.features import ServicePlan, ViewPlan
from weir.settings import Settings

FORMAT = 2  # of plan.json; a file of another one is refused rather than guessed at


def path(settings: Settings) -> Path:
    """The file that holds the plans of every feature service."""
    return settings.paths.home / "features" / "plan.json"


def save(settings: Settings, plans: Iterable[ServicePlan]) -> None:
    """Write the plans, all at once: a reader sees the old file or the new one."""
    content = {"format": FORMAT, "services": {plan.service: _to_dict(plan) for plan in plans}}
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


def load_all(settings: Settings) -> tuple[ServicePlan, ...]:
    """The plans of every feature service, at least one. Raises Refused: no plan file, or another version's."""
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
    return tuple(_from_dict(raw) for raw in content["services"].values())


def _to_dict(plan: ServicePlan) -> dict[str, Any]:
    return {
        "project": plan.project,
        "service": plan.service,
        "fingerprint": plan.fingerprint,
        "views": [view_to_dict(view) for view in plan.views],
    }


def _from_dict(raw: dict[str, Any]) -> ServicePlan:
    views = tuple(
        ViewPlan(
            view["name"],
            tuple(view["join_keys"]),
            tuple(view["features"]),
            tuple(view["dtypes"]),
            view["ttl_s"],
            tuple(view["key_types"]),
        )
        for view in raw["views"]
    )
    return ServicePlan(raw["project"], raw["service"], views, raw["fingerprint"])
