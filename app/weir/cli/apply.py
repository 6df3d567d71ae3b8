"""`weir apply`: the Feast repository made known to everybody who reads features."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weir.cli.output import AsJson, Column, say, show, show_json

COLUMNS = (
    Column("view", "view", name=True),
    Column("join keys", "join_keys", ", ".join),
    Column("features", "features", ", ".join),
    Column("ttl", "ttl_s", lambda ttl_s: f"{ttl_s / 3600:g} h" if ttl_s else "none", right=True),
)


def apply(
    clear: Annotated[
        bool, typer.Option("--clear", help="Also empty the online store, its watermark included. Asks nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Apply the project's Feast definitions and write the plan that workers read. Running it again is safe."""
    from rich.console import Console

    from weir.edges.features import plan as feature_plan
    from weir.edges.features import repository
    from weir.edges.features.store.open import open_store
    from weir.settings import load

    settings = load()
    with Console(stderr=True).status("loading Feast"):
        repository.apply(settings)
        plans = repository.export(settings)
    if clear:
        store = open_store(settings, plans[0].project)
        store.clear()
        store.close()
    path = feature_plan.path(settings)
    found: list[dict[str, Any]] = [
        {
            "feature_service": plan.service,
            "fingerprint": plan.fingerprint,
            "plan": str(path),
            "views": [
                {
                    "view": view.name,
                    "join_keys": list(view.join_keys),
                    "features": list(view.features),
                    "ttl_s": view.ttl_s,
                }
                for view in plan.views
            ],
        }
        for plan in plans
    ]
    if as_json:
        show_json(found)
        return
    for plan in found:
        title = f"{plan['feature_service']}, fingerprint {plan['fingerprint'][:12]}"
        show(plan["views"], COLUMNS, title=title, as_json=False)
    say(f"plans written to {path}")
