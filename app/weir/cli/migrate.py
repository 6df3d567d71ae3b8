"""`weir migrate`: the tables of ClickHouse."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from weir.settings import load


def migrate() -> None:
    """Create ClickHouse's database and tables, or bring them up to date. Running it again changes nothing."""
    from weir.edges.clickhouse import migrations  # a worker never loads the commands' imports

    settings = load()
    done = migrations.apply(settings.recording)
    title = f"migrations of {settings.recording.clickhouse_database} at {settings.recording.clickhouse_url}"
    table = Table(title=title, title_justify="left")
    for heading in ("number", "name", "statements", "state"):
        table.add_column(heading, justify="right" if heading in ("number", "statements") else "left")
    for migration in sorted((*done.present, *done.applied), key=lambda migration: migration.number):
        state = "[green]applied[/]" if migration in done.applied else "present"
        table.add_row(f"{migration.number:04d}", migration.name, str(len(migration.statements)), state)
    Console().print(table)
