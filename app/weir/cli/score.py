"""`weir bundle score`: what a bundle would answer to the rows of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weir.cli.arguments import Which
from weir.cli.output import AsJson, Column, say, show

SHOWN = 20


def score(
    bundle: Which,
    rows: Annotated[
        Path,
        typer.Argument(
            help="Parquet, CSV or JSON Lines: a column for each input.", metavar="ROWS", exists=True, dir_okay=False
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Write the rows with their scores to this Parquet file.", dir_okay=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a bundle would answer to the rows of a file. Nothing is sent, and nothing needs to run.

    Rows go through the scorer's own code: a row that a scorer would reject is shown with the reason. Features are
    columns of the file, named view__feature.
    """
    import pyarrow.parquet as pq

    from weir.edges.bundles import folder
    from weir.edges.bundles.opened import open_bundle
    from weir.operations import bundles
    from weir.operations import score as scoring
    from weir.settings import load

    settings = load()
    described = folder.read(folder.find(bundle, settings))
    plan = bundles.plan_of(described.bundle, settings)
    table = scoring.read(rows)
    scored = scoring.score(open_bundle(described, plan, wanted=settings.scoring.engine), plan, table)
    if out is not None:
        table = table.drop_columns([name for name in scored.column_names if name in table.column_names])
        for name in scored.column_names:
            table = table.append_column(name, scored.column(name))
        pq.write_table(table, out)
    found = [{"row": number, **row} for number, row in enumerate(scored.to_pylist())]
    columns = (
        Column("row", "row", right=True, name=True),
        Column("score", "score", lambda value: "" if value is None else f"{value:.7g}", right=True, name=True),
        Column("decision", "decision", name=True),
        Column("rejected", "rejected"),
    )
    show(found if as_json else found[:SHOWN], columns, as_json=as_json)
    if not as_json:
        rejected = len(found) - scored.column("rejected").null_count
        first = f"; the first {SHOWN} are shown" if len(found) > SHOWN else ""
        say(f"{len(found) - rejected:,} scored, {rejected:,} rejected{first}")
