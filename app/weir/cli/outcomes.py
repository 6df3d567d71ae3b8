"""`weir outcomes`: what came true after predictions."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weir.cli.arguments import Command, reached
from weir.cli.line_faults import LineFaults
from weir.cli.output import show_json

if TYPE_CHECKING:
    import pyarrow as pa

    from weir.operations.outcome_files import Found
    from weir.settings import Settings

NONE_JOINED = (
    "none of them has a prediction of {service}: are these ids of this service, and of requests that were scored? "
    "See `weir query \"SELECT request_id, prediction_id FROM predictions WHERE service = '{service}' LIMIT 5\"`"
)
cli = typer.Typer(no_args_is_help=True, help="What came true after predictions.")


@cli.callback()
def _group() -> None:
    pass


@cli.command("send", cls=Command)
def send(
    service: Annotated[str, typer.Argument(help="The scoring service.", metavar="SERVICE")],
    file: Annotated[
        Path, typer.Argument(help="CSV, JSON lines or Parquet; - for stdin.", metavar="FILE", dir_okay=False)
    ],
    column: Annotated[
        list[str] | None,
        typer.Option(help="FIELD=COLUMN where they differ, as request_id=tx_id; repeat for more."),
    ] = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option(help="A column of amounts; repeat for more. By default every further column of numbers is one."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Send what came true after a service's predictions.

    A line says whose outcome it is by request_id or prediction_id, and what it is by label (a class, or 1 and 0),
    observed (a number) or amounts. It may say revision, withdrawn and occurred_at (ISO 8601 or milliseconds; by default
    now), with which it corrects an earlier one. A label must be a class of one of the service's bundles. Lines that
    cannot be outcomes are reported with their numbers before anything is sent, and left out; the exit status is then 1.
    """
    from weir.operations import outcome_files, outcome_labels
    from weir.operations.send_outcomes import OutcomeSender

    named = dict(_pair(text) for text in column or ())
    content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    lines = outcome_files.read(content, outcome_files.form_of(file, content))
    settings = reached()
    with closing(OutcomeSender(settings, service)) as sender:
        columns = outcome_files.Columns(named, tuple(attribute) if attribute else None)
        found = outcome_files.outcomes(lines, service, columns, time.time_ns() // 1_000_000)
        labels = outcome_labels.known(settings, service)
        foreign = labels.faults(found.outcomes) if labels else {}
        checked = sender.check({number: one for number, one in found.outcomes.items() if number not in foreign})
        wrong = found.faults | foreign | checked.faults
        if labels is None and any(one["label"] is not None for one in found.outcomes.values()):
            typer.echo(f"labels were not checked: no bundle of {service} is recorded or is here", err=True)
        line_faults = LineFaults()
        line_faults.tell(wrong)
        line_faults.tell_rest()
        _tell_columns(found)
        sender.send(checked.rows)
    counts = {"sent": len(checked.rows), "wrong": len(wrong), "joined": None, "waiting": None}
    counts |= _joined(settings, service, checked.rows)
    if as_json:
        show_json(counts)
    else:
        typer.echo(_said(counts), err=True)
    if counts["sent"] and counts["joined"] == 0:
        typer.echo(NONE_JOINED.format(service=service), err=True)
    if wrong:
        raise typer.Exit(1)


def _pair(text: str) -> tuple[str, str]:
    """Column and field of FIELD=COLUMN."""
    from weir.operations.outcome_files import FIELDS

    field, sign, name = text.partition("=")
    if not sign or not name or field not in FIELDS:
        raise typer.BadParameter(f"--column {text!r} is not FIELD=COLUMN; fields are {', '.join(FIELDS)}")
    return name, field


def _tell_columns(found: Found) -> None:
    if found.attributes:
        typer.echo(f"attributes: {', '.join(found.attributes)}", err=True)
    if found.left_out:
        typer.echo(f"left out: {', '.join(found.left_out)}", err=True)


def _joined(settings: Settings, service: str, rows: pa.RecordBatch) -> dict[str, int | None]:
    """How many found their prediction; nothing where ClickHouse cannot be asked."""
    from weir.core.errors import WeirError
    from weir.operations.send_outcomes import joined

    try:
        found = joined(settings, service, rows)
    except WeirError as error:
        typer.echo(f"how many have their prediction is not known: {error}", err=True)
        return {}
    return {"joined": found, "waiting": len(rows) - found}


def _said(counts: dict[str, int | None]) -> str:
    found = ""
    if counts["joined"] is not None:
        waits = "waits for its prediction" if counts["waiting"] == 1 else "wait for their prediction"
        found = f": {counts['joined']:,} joined, {counts['waiting']:,} {waits}"
    lines = f"; {counts['wrong']:,} lines are no outcomes" if counts["wrong"] else ""
    return f"{counts['sent']:,} sent{found}{lines}"
