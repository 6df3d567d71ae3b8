"""`weir migrate`: the tables of ClickHouse."""

from __future__ import annotations

from weir.cli.output import AsJson, Column, show

COLUMNS = (
    Column("number", "number", lambda number: f"{number:04d}", right=True),
    Column("name", "name", name=True),
    Column("statements", "statements", right=True),
    Column("state", "state"),
)


def migrate(as_json: AsJson = False) -> None:
    """Create the ClickHouse database and tables, or bring them up to date. Running it again changes nothing."""
    from weir.edges.clickhouse import migrations
    from weir.settings import load

    recording = load().recording
    done = migrations.apply(recording)
    rows = [
        {
            "number": migration.number,
            "name": migration.name,
            "statements": len(migration.statements),
            "state": "applied" if migration in done.applied else "present",
        }
        for migration in sorted((*done.present, *done.applied), key=lambda migration: migration.number)
    ]
    title = f"migrations of {recording.clickhouse_database} at {recording.clickhouse_url}"
    show(rows, COLUMNS, title=title, as_json=as_json)
