"""`weir migrate`: the tables of ClickHouse, and the views of the project's services."""

from __future__ import annotations

from weir.cli.arguments import reached
from weir.cli.output import AsJson, Column, say, show, show_json

COLUMNS = (
    Column("number", "number", lambda number: f"{number:04d}", right=True),
    Column("name", "name", name=True),
    Column("statements", "statements", right=True),
    Column("state", "state"),
)
VIEWS = (
    Column("service", "service", name=True),
    Column("view", "name", name=True),
    Column("value", "formula"),
)


def migrate(as_json: AsJson = False) -> None:
    """Create the ClickHouse database and tables, or bring them up to date. Running it again changes nothing.

    It also makes the view of each of the project's services, results_SERVICE: its predictions, what came true of them,
    and their value by the formula in services/SERVICE/service.yaml. And it lets ClickHouse reckon with the prices and
    budgets of prices.yaml. Run it again after one of these was changed.
    """
    from weir.edges.clickhouse import migrations
    from weir.operations import price_book, values

    settings = reached()
    recording = settings.recording
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
    views = [
        {"service": view.service, "name": view.name, "formula": view.formula or None} for view in values.make(settings)
    ]
    book = price_book.make(settings)
    doubts = price_book.unknown(settings, book) if book else []
    if as_json:
        prices = (
            {"currency": book.currency, "prices": len(book.tariffs), "budgets": len(book.budgets), "doubts": doubts}
            if book
            else None
        )
        show_json({"migrations": rows, "views": views, "price_book": prices})
        return
    title = f"migrations of {recording.clickhouse_database} at {recording.clickhouse_url}"
    show(rows, COLUMNS, title=title, as_json=False)
    if views:
        show(views, VIEWS, title="views of the services", as_json=False)
    if book:
        path = settings.paths.prices_file
        say(f"price book: {len(book.tariffs)} prices in {book.currency}, {len(book.budgets)} budgets, of {path}")
    for doubt in doubts:
        say(doubt)
