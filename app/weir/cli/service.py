"""`weir service`: the services of a project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weir.cli.arguments import Command
from weir.core.signature import Task

cli = typer.Typer(no_args_is_help=True, help="Add services to a project.")


@cli.callback()
def _services() -> None:
    """Add services to a project."""


@cli.command(cls=Command)
def add(
    name: Annotated[str, typer.Argument(help="The service: letters, digits, - and _.", metavar="NAME")],
    model: Annotated[
        Path,
        typer.Argument(help="ONNX file, or LightGBM text model (.txt).", metavar="MODEL", exists=True, dir_okay=False),
    ],
    sample: Annotated[
        Path,
        typer.Option(
            help="Rows as the model was trained on: Parquet, CSV or JSON Lines.",
            metavar="ROWS",
            exists=True,
            dir_okay=False,
        ),
    ],
    label: Annotated[
        str, typer.Option(help="Column of the sample with what came true; `label` by default.", metavar="COLUMN")
    ] = "",
    task: Annotated[Task | None, typer.Option(help="What the score is, where it is not found out.")] = None,
    output: Annotated[
        str, typer.Option(help="The model's output that is the score, where it has several.", metavar="OUTPUT")
    ] = "",
    codes: Annotated[
        list[str] | None,
        typer.Option(
            help="COLUMN=WORD,WORD,...: what the numbers 0, 1, ... of a column stand for; repeat for more.",
            metavar="COLUMN=WORDS",
        ),
    ] = None,
    texts: Annotated[
        list[str] | None,
        typer.Option(
            "--text",
            help="A column of free text, which the model takes as it is; repeat for more.",
            metavar="COLUMN",
        ),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Write a service that is there anew: its owner and value stay, its old service.yaml is kept beside.",
        ),
    ] = False,
) -> None:
    """Look into a model and rows, and write services/NAME: a service.yaml to be edited, and what a bundle is made of.

    It says what it took for what, and what it could not find out. `weir bundle build NAME` then builds the bundle.
    """
    from weir.operations import new_service
    from weir.settings import load

    said = dict(_codes(text) for text in codes or ())
    wishes = new_service.Wishes(
        label=label, task=task, output=output, codes=said, texts=tuple(texts or ()), replace=replace
    )
    added = new_service.add(name, model, sample, wishes, load())
    for line in added.said:
        typer.echo(line)
    typer.echo(f"wrote {added.folder}/service.yaml: look at it, then run `weir bundle build {name}`")


def _codes(text: str) -> tuple[str, tuple[str, ...]]:
    column, sign, words = text.partition("=")
    if not sign or not column or not words:
        raise typer.BadParameter(f"{text!r} is not COLUMN=WORD,WORD,...", param_hint="--codes")
    return column, tuple(word.strip() for word in words.split(","))
