"""`weir monitors dashboard`: a project's own monitors in Grafana."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def dashboard(
    names: Annotated[
        list[str] | None, typer.Argument(help="Monitors of the project; by default all.", metavar="[NAME]...")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write it to this file instead of printing it.")] = None,
    title: Annotated[str, typer.Option(help="Of the dashboard; its address in Grafana follows from it.")] = (
        "Weir: own monitors"
    ),
) -> None:
    """Make a dashboard of Grafana of the project's monitors and KPIs, as Weir's own are made.

    Its panels read ClickHouse by a data source with the uid `clickhouse`, as the compose stack provisions it. It needs
    the extra `grafana`.
    """
    from weir.edges.clickhouse import monitors
    from weir.settings import load
    from weir.web.grafana import boards

    settings = load()
    known, refused = monitors.looked(settings)
    for error in refused.values():
        typer.echo(f"weir: {error}", err=True)
    chosen = [monitors.named(settings, name) for name in names] if names else [one for one in known.values() if one.own]
    text = boards.written(boards.own(chosen, title))
    if out is None:
        typer.echo(text, nl=False)
        return
    out.write_text(text, encoding="utf-8")
    typer.echo(f"wrote {len(chosen)} panels to {out}")
