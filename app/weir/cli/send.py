"""`weir send` and `weir tail`: requests of a service, and what becomes of them."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, nullcontext
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from weir.cli.arguments import reached
from weir.cli.line_faults import LineFaults
from weir.cli.output import show_line

if TYPE_CHECKING:
    from weir.operations.answers import Answer
    from weir.settings import Settings

AsLines = Annotated[bool, typer.Option("--json", help="Print JSON lines instead of text.")]
BLOCK = 1000  # records that are sent together
SLICES_PER_S = 10  # with --rate
LINE_BYTES = 1 << 20  # of a record; more is no request
READ_BYTES = 1 << 16
AWAITED = 20_000  # answers at most that are awaited while more is sent
_Line = tuple[int, dict[str, Any] | str]  # its number, and the record or what is wrong with it


def send(
    service: Annotated[str, typer.Argument(help="The scoring service.", metavar="SERVICE")],
    file: Annotated[
        Path | None, typer.Argument(help="JSON lines, one request each; - for stdin.", metavar="[FILE]", dir_okay=False)
    ] = None,
    sample: Annotated[
        int | None, typer.Option(help="In place of a file: so many made-up requests that the model takes.", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Of --sample: the same seed makes the same values.", min=0)] = 0,
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

    if (file is None) == (sample is None):
        raise typer.BadParameter("give a file, or --sample with a number", param_hint="FILE")
    settings = reached().having(service=service)
    given = _records(file) if file is not None else _made_up(settings, sample or 0, seed)
    done: Counter[str] = Counter()
    line_faults = LineFaults()
    with closing(Sender(settings, waits=wait)) as sender:

        def show(answers: Iterable[Answer]) -> None:
            for answer in answers:
                done["scored" if answer.scored else "rejected"] += 1
                _show(answer, as_json)

        for block in _paced(given, rate):
            good = {number: record for number, record in block if isinstance(record, dict)}
            numbers, faults = list(good), sender.send(list(good.values()))
            wrong = {number: str(fault) for number, fault in block if number not in good}
            wrong |= {numbers[index]: why for index, why in faults.items()}
            line_faults.tell(wrong)
            done["sent"] += len(block) - len(wrong)
            done["wrong"] += len(wrong)
            show(sender.arrived())
            show(sender.answers(patience, AWAITED))
        show(sender.answers(patience))
    line_faults.tell_rest()
    outcome = f": {done['scored']:,} scored, {done['rejected']:,} rejected" if wait else ""
    lines = f"; {done['wrong']:,} lines are no requests" if done["wrong"] else ""
    typer.echo(f"{done['sent']:,} sent{outcome}{lines}", err=True)
    if done["wrong"]:
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
    from weir.operations.answers import Answers, check_service

    settings = reached()
    if service:
        check_service(settings, service)
    names = settings.kafka.names
    topics = [names.dead_letters] if dead_letters else [names.predictions, names.dead_letters]
    answers, shown = Answers(settings, Registry(settings.registry)), 0
    with closing(Tail(settings.kafka, topics)) as source:
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
        each = ", ".join(f"{name} {value:.7g}" for name, value in fields["outputs"].items())
        decided = [words for words in (fields["decision"], each) if words]
        said = [answer.request_id, f"{fields['score']:.7g}", *decided, f"{fields['model']} {fields['version']}"]
        typer.echo("  ".join(said))
    else:
        at = f"{fields['source_topic']}/{fields['source_partition']}/{fields['source_offset']}@{fields['source_log']}"
        typer.echo(f"{answer.request_id or at}  rejected: {fields['reason']}: {fields['detail']}")


def _made_up(settings: Settings, n: int, seed: int) -> Iterator[list[_Line]]:
    """Requests with values at random."""
    from weir.operations import made_up

    number = 0
    for rows in made_up.rows(settings, settings.scoring.service, n, seed):
        yield list(enumerate(rows, number + 1))
        number += len(rows)


def _records(file: Path) -> Iterator[list[_Line]]:
    """Number and record of the lines that are there to be read just then, or what is wrong with a line.

    Empty lines are left out.
    """
    number = 0
    for lines in _lines(file):
        numbered = list(enumerate(lines, number + 1))
        number += len(lines)
        yield [(at, _record(line)) for at, line in numbered if line.strip()]


def _lines(file: Path) -> Iterator[list[bytes]]:
    """Whole lines as they come. Of one that is too long only so much is kept that it can be told from a request."""
    with nullcontext(cast(BufferedReader, sys.stdin.buffer)) if str(file) == "-" else file.open("rb") as source:
        rest = b""
        while piece := source.read1(READ_BYTES):
            *lines, rest = (rest + piece).split(b"\n")
            rest = rest[: LINE_BYTES + 1]
            yield lines
        yield [rest]


def _record(line: bytes) -> dict[str, Any] | str:
    from weir.operations import text_file

    return f"longer than {LINE_BYTES:,} bytes" if len(line) > LINE_BYTES else text_file.record(line)


def _paced(blocks: Iterator[list[_Line]], rate: float | None) -> Iterator[list[_Line]]:
    """Lines in blocks that are sent together, so many a second."""
    size = BLOCK if rate is None else max(1, min(BLOCK, round(rate / SLICES_PER_S)))
    due_s = time.monotonic()
    for lines in blocks:
        for first in range(0, len(lines), size):
            block = lines[first : first + size]
            if rate is not None:
                time.sleep(max(0.0, due_s - time.monotonic()))
                due_s += len(block) / rate
            yield block
