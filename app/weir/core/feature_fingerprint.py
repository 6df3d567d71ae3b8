"""The fingerprint of a feature service: whether two plans mean the same features."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from weir.core.features import ViewPlan


def fingerprint(project: str, service: str, views: tuple[ViewPlan, ...]) -> str:
    """Hash of everything on which a model's features depend by definition: names, order, types, keys, ttl. 64 hex."""
    text = json.dumps([project, service, [view_to_dict(view) for view in views]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def view_to_dict(view: ViewPlan) -> dict[str, Any]:
    """A view as JSON values, in the plan's file and in the fingerprint."""
    return {
        "name": view.name,
        "join_keys": list(view.join_keys),
        "key_types": list(view.key_types),
        "features": list(view.features),
        "dtypes": list(view.dtypes),
        "ttl_s": view.ttl_s,
    }
