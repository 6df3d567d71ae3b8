"""`weir apply`: the Feast repository made known to everybody who reads features."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.table import Table

from app.settings import load


def apply(
    clear: bool = typer.Option(False, "--clear", help="Also empty the online store, watermark included."),
) -> None:
    """Apply feature_repo/ to Feast's registry and write the plan that scorers read. Running it again is safe."""
    from app.edges import feature_plan, feature_repository, record_store

    settings, console = load(), Console()
    with console.status("loading Feast"):
        feature_repository.apply(settings)
        plans = feature_plan.export(settings)
    if clear:
        store = record_store.open_store(settings, plans[0].project)
        store.clear()
        store.close()
    table = Table(title=f"feature services in {feature_plan.path(settings)}", title_justify="left")
    for heading in ("service", "view", "join keys", "features", "ttl", "fingerprint"):
        table.add_column(heading, justify="right" if heading == "ttl" else "left")
    for plan in plans:
        for number, view in enumerate(plan.views):
            first = (plan.service, plan.fingerprint[:12]) if number == 0 else ("", "")
            ttl = f"{view.ttl_s / 3600:g} h" if view.ttl_s else "none"
            table.add_row(first[0], view.name, ", ".join(view.join_keys), ", ".join(view.features), ttl, first[1])
    console.print(table)
