"""`weir dead-letters`: records that were rejected and why; sent again, once they are repaired; or given up."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from weir.cli.arguments import Command, check_letters, check_service, reached
from weir.cli.output import AsJson, Column, Wide, say, show, show_json, show_table
from weir.core.rejects import Reason

if TYPE_CHECKING:
    from clickhouse_connect.driver import Client

    from weir.edges.clickhouse.dead_letters import Letter, Redrive, Selection
    from weir.operations.redrive import Resend
    from weir.settings import Settings

cli = typer.Typer(
    no_args_is_help=True, help="List records that were not scored, show one, send them again or give them up."
)

Service = Annotated[str, typer.Option(help="One scoring service; by default all of them.")]
OfReason = Annotated[Reason | None, typer.Option("--reason", help="One reason.", metavar="REASON")]
Since = Annotated[datetime | None, typer.Option(help="Rejected at this time (UTC) or later.")]
Until = Annotated[datetime | None, typer.Option(help="Rejected before this time (UTC).")]
Limit = Annotated[int, typer.Option(help="Maximum number of dead letters to process.", min=1, max=1_000_000)]
HEX_BYTES = 256  # of a value that does not decode, shown

COUNTED = (
    Column("service", "service", lambda service: service or "(recorder)", name=True),
    Column("stage", "stage", name=True, wide=True),
    Column("reason", "reason", name=True),
    Column("letters", "letters", "{:,}".format, right=True),
    Column("open", "open", "{:,}".format, right=True),
    Column("first", "first", "{:%Y-%m-%d %H:%M:%S}".format, wide=True),
    Column("latest", "latest", "{:%Y-%m-%d %H:%M:%S}".format),
    Column("latest detail", "latest_detail", wide=True),
)
GIVEN_UP = (
    Column("id", "id", name=True),
    Column("rejected for", "rejected", name=True),
    Column("state", "state"),
)
NAMED = (
    Column("id", "id", name=True),
    Column("service", "service", lambda service: service or "(recorder)", name=True, wide=True),
    Column("reason", "reason", name=True),
    Column("state", "state"),
    Column("rejected at", "rejected_at", "{:%Y-%m-%d %H:%M:%S}".format, wide=True),
    Column("detail", "detail", wide=True),
)


@cli.command("list")
def list_letters(
    service: Service = "",
    reason: OfReason = None,
    since: Since = None,
    until: Until = None,
    ids: Annotated[bool, typer.Option("--ids", help="List them one by one, with the ids that `show` takes.")] = False,
    limit: Limit = 100,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """Count dead letters by service and reason: all of them, and those still open. With --ids name each, oldest first.

    --limit bounds what --ids lists.
    """
    from weir.edges.clickhouse import dead_letters
    from weir.edges.clickhouse.client import connect

    chosen = _selection(service, reason, since, until, limit=limit)
    settings = reached()
    client = connect(settings.recording)
    check_service(service, settings, client)
    if ids:
        letters = dead_letters.letters(client, chosen)
        if not letters and not as_json:
            say("no dead letters")
            return
        show([_brief(letter) for letter in letters], NAMED, as_json=as_json, wide=wide)
        if len(letters) == limit and not as_json:
            say(f"the first {limit:,}; more with --limit")
        return
    groups = dead_letters.summary(client, chosen)
    if groups or as_json:
        show([asdict(group) for group in groups], COUNTED, as_json=as_json, wide=wide)
    else:
        say("no dead letters")


@cli.command("show", cls=Command)
def show_letter(
    letter: Annotated[str, typer.Argument(help="Id of the dead letter: topic/partition/offset@log.", metavar="ID")],
    as_json: AsJson = False,
) -> None:
    """Show one dead letter: where it came from, why it was rejected, and its fields or bytes."""
    from weir.edges.clickhouse import dead_letters
    from weir.edges.clickhouse.client import connect

    check_letters([letter])
    settings = reached()
    client = connect(settings.recording)
    found = _named(client, letter)
    shown = _described(settings, found)
    redriven = next(iter(dead_letters.redrives(client, ids=[found.id])), None)
    shown["redriven"] = "no" if redriven is None else _fate(redriven)
    if as_json:
        show_json(shown)
        return
    table = Table(show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in shown.items():
        table.add_row(name, escape(json.dumps(value, default=str) if isinstance(value, dict) else str(value)))
    show_table(table)


@cli.command()
def redrive(
    service: Annotated[
        str,
        typer.Option(
            help="The scoring service; by default the one of --bundle, else WEIR_SERVICE, else WEIR_BUNDLE's."
        ),
    ] = "",
    reason: OfReason = None,
    since: Since = None,
    until: Until = None,
    letter: Annotated[list[str] | None, typer.Option(help="Id of a dead letter; repeat for more.")] = None,
    patch: Annotated[
        list[str] | None, typer.Option(help="FIELD=VALUE, the value as JSON or text; repeat for more.")
    ] = None,
    repairs: Annotated[
        Path | None,
        typer.Option(help='File of JSON lines: {"id": letter, "fields": {...}}.', exists=True, dir_okay=False),
    ] = None,
    bundle: Annotated[
        str,
        typer.Option(help="Evaluate with this bundle; by default WEIR_BUNDLE. Without either, only decode."),
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Also send what would be rejected again.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would happen and send nothing.")] = False,
    limit: Limit = 1000,
    as_json: AsJson = False,
) -> None:
    """Send a service's open dead letters again, as they are or repaired; each at most once, however often it runs.

    Who did it is recorded.
    """
    from weir.core.errors import Refused
    from weir.edges.clickhouse import dead_letters
    from weir.edges.clickhouse.client import connect
    from weir.operations import give_up, serving
    from weir.operations import redrive as redriving
    from weir.operations import repair as repairing

    check_letters(letter or ())
    try:
        repairing.check(patch or (), repairs)
    except Refused as error:
        raise typer.BadParameter(str(error)) from error
    settings = serving.of_bundle(reached(), service, bundle)
    evaluated = bool(settings.scoring.bundle)
    chosen = _selection(settings.scoring.service, reason, since, until, ids=letter or (), open=True, limit=limit)
    client = connect(settings.recording)
    check_service(settings.scoring.service, settings, client)
    letters = dead_letters.letters(client, chosen)
    resends, verdicts = repairing.prepared(settings, letters, patch or [], repairs)
    sent = [resend for resend, verdict in zip(resends, verdicts, strict=True) if force or not verdict]
    done = (
        redriving.Redriven(batch=0, sent=0, taken=0, finished=0)
        if dry_run
        else redriving.redrive(client, settings, sent, give_up.person())
    )
    if as_json:
        plain = [
            {"id": resend.letter.id, "reason": resend.letter.reason, "repair": resend.repair, "rejected": verdict}
            for resend, verdict in zip(resends, verdicts, strict=True)
        ]
        counts = {"dry_run": dry_run, "evaluated": evaluated, "chosen": len(sent)}
        show_json({**counts, "letters": plain, **asdict(done)})
        return
    _show_verdicts(resends, verdicts, evaluated=evaluated)
    if dry_run:
        say(f"{len(sent):,} of {len(resends):,} letters would be sent; nothing was sent")
        return
    batch = f" as batch {done.batch}" if done.sent else ""
    say(f"{done.sent:,} of {len(resends):,} letters sent again{batch}")
    if done.taken:
        say(f"{done.taken:,} were sent by another command meanwhile")
    if done.finished:
        say(f"{done.finished:,} of an interrupted redrive were finished")
    if done.untold:
        say(
            f"{done.untold:,} of an interrupted redrive are left: their topic was made anew or cut, so nobody can tell "
            "whether they were sent; `weir dead-letters give-up ID --reason TEXT` ends that"
        )


@cli.command("give-up", cls=Command)
def give_up(
    ids: Annotated[list[str], typer.Argument(help="Ids of dead letters: topic/partition/offset@log.", metavar="ID")],
    reason: Annotated[str, typer.Option(help="Why they will not be sent, for those who ask later.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would happen and record nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give dead letters up: no redrive sends them, and they are no longer open. Who, when and why are recorded.

    A letter that was sent or answered is left as it is, and the exit status is 1 then.
    """
    from weir.edges.clickhouse.client import connect
    from weir.operations import give_up as giving

    check_letters(ids)
    if not reason.strip():
        raise typer.BadParameter("say why, in a few words", param_hint="--reason")
    settings = reached()
    client = connect(settings.recording)
    letters = [_named(client, letter) for letter in dict.fromkeys(ids)]
    done = giving.give_up(client, settings, letters, who=giving.person(), why=reason.strip(), dry_run=dry_run)
    rows = [
        {"id": letter.id, "rejected": letter.reason, "state": state}
        for letter, state in zip(letters, done.states, strict=True)
    ]
    if as_json:
        show_json({"dry_run": dry_run, "batch": done.batch, "letters": rows})
    else:
        show(rows, GIVEN_UP, as_json=False)
        given = done.states.count(giving.GIVEN_UP)
        of = f"{given:,} of {len(letters):,} letters"
        say(f"{of} would be given up; nothing was recorded" if dry_run else f"{of} given up")
    if done.kept:
        raise typer.Exit(1)


def _show_verdicts(resends: list[Resend], verdicts: list[str], *, evaluated: bool) -> None:
    """Letters by what they were and what would become of them, with one of each by name.

    evaluated: a bundle was asked; without one it is only known which letters do not decode.
    """
    if not resends:
        say("no open dead letters are chosen")
        return
    good = "scored" if evaluated else "not evaluated"
    kinds: Counter[tuple[str, str, str]] = Counter()
    first: dict[tuple[str, str, str], str] = {}
    for resend, verdict in zip(resends, verdicts, strict=True):
        kind = (resend.letter.reason, resend.repair, f"rejected again: {verdict}" if verdict else good)
        kinds[kind] += 1
        first.setdefault(kind, resend.letter.id)
    columns = (
        Column("letters", "letters", "{:,}".format, right=True),
        Column("rejected for", "reason", name=True),
        Column("repair", "repair"),
        Column("would be", "verdict"),
        Column("for example", "example", name=True),
    )
    rows = [
        {"letters": count, "reason": kind[0], "repair": kind[1], "verdict": kind[2], "example": first[kind]}
        for kind, count in kinds.most_common()
    ]
    show(rows, columns, as_json=False)
    if not evaluated:
        say("not evaluated: it was only tried whether they decode; --bundle BUNDLE also asks rules, features and model")


def _brief(letter: Letter) -> dict[str, Any]:
    state = "answered" if letter.answered else "open"
    if letter.redriven_in:
        state = "given up" if letter.given_up_by else f"redriven in batch {letter.redriven_in}"
    names = ("id", "service", "stage", "reason", "detail", "rejected_at")
    return {name: getattr(letter, name) for name in names} | {"state": state}


def _fate(redriven: Redrive) -> str:
    """What became of a letter that was redriven or given up."""
    if redriven.state == "given up":
        at = f"{redriven.announced_at:%Y-%m-%d %H:%M:%S} UTC"
        return f"no: given up by {redriven.given_up_by} at {at}: {redriven.given_up_for}"
    by = f" by {redriven.sent_by}" if redriven.sent_by else ""
    said = f"batch {redriven.batch}{by}, to offset {redriven.redriven_offset}: {redriven.state} {redriven.reason}"
    return said.strip()


def _named(client: Client, name: str) -> Letter:
    """The letter of that id. Raises Refused."""
    from weir.core.errors import Refused
    from weir.edges.clickhouse import dead_letters

    found = dead_letters.letters(client, dead_letters.Selection(ids=[name]))
    if not found:
        raise Refused(f"there is no dead letter {name}", remedy="name it topic/partition/offset@log")
    return found[0]


def _described(settings: Settings, letter: Letter) -> dict[str, Any]:
    """Everything that is known of a letter, its fields if it decodes under its service's contract, else its bytes."""
    from weir.operations import letter_fields

    shown: dict[str, Any] = {
        "id": letter.id,
        "service": letter.service or "(recorder)",
        "stage": letter.stage,
        "reason": letter.reason,
        "detail": letter.detail,
        "rejected_at": letter.rejected_at,
        "recorded_from": f"{letter.log.topic}/{letter.log.partition}/{letter.log_offset}",
        "answered": "yes, after a restart of the scorer" if letter.answered else "no",
        "key": None if letter.key is None else letter.key.decode(errors="backslashreplace"),
        "payload_bytes": None if letter.value is None else len(letter.value),
        "payload_sha256": letter.payload_sha256,
    }
    fields, why = letter_fields.fields(settings, letter)
    if fields is not None:
        return shown | {"fields": fields}
    hexadecimal = (letter.value or b"")[:HEX_BYTES].hex(" ", 4)
    more = " ..." if len(letter.value or b"") > HEX_BYTES else ""
    return shown | {"fields": f"none: {why}", "payload": hexadecimal + more}


def _selection(
    service: str, reason: Reason | None, since: datetime | None, until: datetime | None, **more: Any
) -> Selection:
    """Raises typer.BadParameter when there is no time between the two."""
    from weir.core.times import BEGINNING, END
    from weir.edges.clickhouse.dead_letters import Selection

    begin, end = (moment and moment.replace(tzinfo=UTC) for moment in (since, until))
    if begin and end and begin >= end:
        raise typer.BadParameter("--until is not later than --since")
    return Selection(service=service, reason=str(reason or ""), begin=begin or BEGINNING, end=end or END, **more)
