"""`weir init`: a project of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the project; made where there is none.", metavar="DIR")],
    keep: Annotated[bool, typer.Option("--keep", help="Leave files that are there, and write the others.")] = False,
) -> None:
    """Make a project: a folder for services, contracts, features and monitors. Nothing that is there is overwritten."""
    from weir.operations import projects

    written = projects.init(folder, keep=keep)
    for path in written:
        typer.echo(f"wrote {folder / path}")
    into = "" if folder.resolve() == Path.cwd() else f"cd {folder} && "
    typer.echo(f"next: {into}weir service add NAME MODEL --sample ROWS")
