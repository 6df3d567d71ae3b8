"""`weir apply`: the Feast repository made known to everybody who reads features."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.table import Table

from weir.settings import load


def apply(
    clear: bool = typer.Option(False, "--clear", help="Also empty the online store, watermark included."),
) -> None:
    """Apply feature_repo/ to Feast's registry and write the plan that scorers read. Running it again is safe."""
    from weir.edges.features import plan as feature_plan
    from weir.edges.features import repository
    from weir.edges.features.store.open import open_store

    settings, console = load(), Console()
    with console.status("loading Feast"):
        repository.apply(settings)
        plans = repository.export(settings)
    if clear:
        store = open_store(settings, plans[0].project)
        store.clear()
        store.close()
    for plan in plans:
        table = Table(title=f"{plan.service}, fingerprint {plan.fingerprint[:12]}", title_justify="left")
        for heading in ("view", "join keys"):
            table.add_column(heading, no_wrap=True)
        table.add_column("features")
        table.add_column("ttl", justify="right", no_wrap=True)
        for view in plan.views:
            ttl = f"{view.ttl_s / 3600:g} h" if view.ttl_s else "none"
            table.add_row(view.name, ", ".join(view.join_keys), ", ".join(view.features), ttl)
        console.print(table)
    console.print(f"plans written to {feature_plan.path(settings)}", soft_wrap=True)
