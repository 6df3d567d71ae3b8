"""`weir send` and `weir tail`: requests of a service, and what becomes of them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weir.cli.output import show_line

if TYPE_CHECKING:
    from weir.operations.answers import Answer

Service = Annotated[str, typer.Argument(help="The scoring service.", metavar="SERVICE")]
AsLines = Annotated[bool, typer.Option("--json", help="Print JSON lines instead of text.")]
BLOCK = 1000  # records that are sent together
SLICES_PER_S = 10  # with --rate
LINE_CHARACTERS = 1 << 20  # of a record; more is no request


def send(
    service: Service,
    file: Annotated[
        Path, typer.Argument(help="JSON lines, one request each; - for stdin.", metavar="FILE", dir_okay=False)
    ],
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the answers and print them.")] = True,
    rate: Annotated[
        float | None, typer.Option(help="Requests a second; by default as fast as it goes.", min=0.1)
    ] = None,
    patience: Annotated[float, typer.Option(help="Seconds without any answer after which to give up.", min=1)] = 30.0,
    as_json: AsLines = False,
) -> None:
    """Send requests to a service, and print what it answers.

    A line is an object with the fields of the service's contract. What it leaves out has the contract's default;
    without a request_id it gets one, without an event_time it is of now. A line that cannot be a request is reported
    with its number and left out; the exit status is then 1.
    """
    from weir.operations.send import Sender
    from weir.settings import load

    wrong = sent = scored = 0
    with Sender(load().having(service=service), waits=wait) as sender:
        for block in _paced(_records(file), rate):
            faults = sender.send([record for _, record in block])
            sent, wrong = sent + len(block) - len(faults), wrong + len(faults)
            for index, why in sorted(faults.items()):
                typer.echo(f"line {block[index][0]}: {why}", err=True)
        for answer in sender.answers(patience):
            scored += answer.scored
            _show(answer, as_json)
    outcome = f": {scored:,} scored, {sent - scored:,} rejected" if wait else ""
    typer.echo(f"{sent:,} sent{outcome}{f'; {wrong:,} lines are no requests' if wrong else ''}", err=True)
    if wrong:
        raise typer.Exit(1)


def tail(
    service: Annotated[str, typer.Argument(help="The scoring service; by default all.", metavar="SERVICE")] = "",
    dead_letters: Annotated[bool, typer.Option("--dead-letters", help="Only requests that were not scored.")] = False,
    limit: Annotated[int | None, typer.Option(help="Stop after so many.", min=1)] = None,
    as_json: AsLines = False,
) -> None:
    """Print predictions and dead letters as they come, until Ctrl-C."""
    from weir.edges.kafka.tail import Tail
    from weir.edges.schemas.registry import Registry
    from weir.operations.answers import Answers
    from weir.settings import load

    settings = load()
    names = settings.kafka.names
    topics = [names.dead_letters] if dead_letters else [names.predictions, names.dead_letters]
    answers, shown = Answers(settings, Registry(settings.registry)), 0
    with Tail(settings.kafka, topics) as source:
        while limit is None or shown < limit:
            found = [one for one in answers.read(source, 1.0) if service in ("", one.service)]
            for answer in found[: None if limit is None else limit - shown]:
                _show(answer, as_json)
                shown += 1


def _show(answer: Answer, as_json: bool) -> None:
    fields = answer.fields
    if as_json:
        show_line({"request_id": answer.request_id, **fields} if answer.request_id else fields)
    elif answer.scored:
        typer.echo(
            f"{answer.request_id}  {fields['score']:.7g}  {fields['decision']}  {fields['model']} {fields['version']}"
        )
    else:
        at = f"{fields['source_topic']}/{fields['source_partition']}/{fields['source_offset']}@{fields['source_log']}"
        typer.echo(f"{answer.request_id or at}  rejected: {fields['reason']}: {fields['detail']}")


def _records(file: Path) -> Iterator[tuple[int, Any]]:
    """Number and value of each line that is not empty; a value that is no object is told where it is taken.

    Raises typer.BadParameter for a line that is no JSON object: what is behind it may be anything.
    """
    source = sys.stdin if str(file) == "-" else file.open(encoding="utf-8")
    with source:
        number = 0
        while line := source.readline(LINE_CHARACTERS):
            number += 1
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError as error:
                raise typer.BadParameter(f"line {number} is no JSON: {error}") from error
            if not isinstance(record, dict):
                raise typer.BadParameter(f"line {number} is no JSON object")
            yield number, record


def _paced(records: Iterator[tuple[int, Any]], rate: float | None) -> Iterator[list[tuple[int, Any]]]:
    """Records in blocks, so many a second."""
    size = BLOCK if rate is None else max(1, min(BLOCK, round(rate / SLICES_PER_S)))
    due_s = time.monotonic()
    while block := list(islice(records, size)):
        if rate is not None:
            time.sleep(max(0.0, due_s - time.monotonic()))
            due_s += len(block) / rate
        yield block
