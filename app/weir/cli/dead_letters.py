"""`weir dead-letters`: what was rejected and why; and back with it, once it is repaired."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from clickhouse_connect.driver import Client

    from weir.edges.clickhouse.dead_letters import Letter, Selection
    from weir.operations.redrive import Resend
    from weir.settings import Settings

cli = typer.Typer(no_args_is_help=True, help="Records that were rejected: list them, show one, send them again.")

Service = Annotated[str, typer.Option(help="One scoring service.")]
Reason = Annotated[str, typer.Option(help="One reason, as `list` shows it.")]
Since = Annotated[datetime | None, typer.Option(help="Rejected at this time (UTC) or later.")]
Until = Annotated[datetime | None, typer.Option(help="Rejected before this time (UTC).")]
HEX_BYTES = 256  # of a value that does not decode, shown


@cli.command("list")
def list_letters(
    service: Service = "",
    reason: Reason = "",
    since: Since = None,
    until: Until = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array instead of a table.")] = False,
) -> None:
    """Count dead letters by service and reason: all, and those still open."""
    from weir.edges.clickhouse import dead_letters
    from weir.edges.clickhouse.client import connect
    from weir.settings import load

    groups = dead_letters.summary(connect(load().recording), _selection(service, reason, since, until))
    if as_json:
        fields = [{name: getattr(group, name) for name in group.__slots__} for group in groups]
        typer.echo(json.dumps(fields, default=_plain, indent=1))
        return
    table = Table("service", "stage", "reason", "letters", "open", "first", "latest", "latest detail")
    for group in groups:
        table.add_row(
            group.service or "(recorder)",
            group.stage,
            group.reason,
            f"{group.letters:,}",
            f"{group.open:,}",
            f"{group.first:%Y-%m-%d %H:%M:%S}",
            f"{group.latest:%Y-%m-%d %H:%M:%S}",
            escape(group.latest_detail),
        )
    Console().print(table if groups else "no dead letters")


@cli.command()
def show(
    letter: Annotated[str, typer.Argument(help="topic/partition/offset, as the ledger and `redrive` name it.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Show one dead letter: where it came from, why it was rejected, and its fields, or its bytes."""
    from weir.edges.clickhouse import dead_letters
    from weir.edges.clickhouse.client import connect
    from weir.settings import load

    settings = load()
    client = connect(settings.recording)
    found = _named(client, letter)
    shown = _described(settings, found)
    redriven = next(iter(dead_letters.redrives(client, ids=[found.id])), None)
    shown["redriven"] = (
        "no"
        if redriven is None
        else (
            f"batch {redriven.batch}, to offset {redriven.redriven_offset}: {redriven.state} {redriven.reason}".strip()
        )
    )
    if as_json:
        typer.echo(json.dumps(shown, default=_plain, indent=1))
        return
    table = Table(show_header=False)
    for name, value in shown.items():
        table.add_row(name, escape(json.dumps(value, default=_plain) if isinstance(value, dict) else str(value)))
    Console().print(table)


@cli.command()
def redrive(
    service: Service = "",
    reason: Reason = "",
    since: Since = None,
    until: Until = None,
    letter: Annotated[list[str] | None, typer.Option(help="topic/partition/offset; may be repeated.")] = None,
    patch: Annotated[list[str] | None, typer.Option(help="FIELD=VALUE, the value as JSON or text; repeatable.")] = None,
    repairs: Annotated[Path | None, typer.Option(help='JSON lines: {"id": letter, "fields": {...}}.')] = None,
    bundle: Annotated[str, typer.Option(help="Evaluate with this bundle; else WEIR_BUNDLE, else decode only.")] = "",
    force: Annotated[bool, typer.Option(help="Also send what would be rejected again.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Say what would happen, and send nothing.")] = False,
    limit: Annotated[int, typer.Option(help="Most letters to look at.", min=1)] = 1000,
) -> None:
    """Send open dead letters of a service again, as they are or repaired; each at most once, however often it runs."""
    from weir.edges.clickhouse import dead_letters
    from weir.edges.clickhouse.client import connect
    from weir.operations import redrive as redrive_edge
    from weir.operations import repair as repairing
    from weir.settings import load

    settings = load()
    settings = settings.having(
        service=service or settings.scoring.named_service, bundle=bundle or settings.scoring.bundle
    )
    client = connect(settings.recording)
    chosen = dead_letters.letters(
        client, _selection(settings.scoring.service, reason, since, until, ids=letter or (), open=True, limit=limit)
    )
    resends, verdicts = repairing.prepared(settings, chosen, patch or [], repairs)
    sent = [resend for resend, verdict in zip(resends, verdicts, strict=True) if force or not verdict]
    console = Console()
    console.print(_verdicts(resends, verdicts))
    if dry_run:
        console.print(f"{len(sent):,} of {len(resends):,} letters would be sent; nothing was")
        return
    done = redrive_edge.redrive(client, settings, sent)
    batch = f" as batch {done.batch}" if done.sent else ""
    console.print(f"{done.sent:,} of {len(resends):,} letters sent again{batch}")
    if done.taken:
        console.print(f"{done.taken:,} were sent by another command meanwhile")
    if done.finished:
        console.print(f"{done.finished:,} of a command that died were finished")


def _verdicts(resends: list[Resend], verdicts: list[str]) -> Table | str:
    """Letters by what they were and what would become of them, with one of each by name."""
    if not resends:
        return "no open dead letters are chosen"
    kinds: Counter[tuple[str, str, str]] = Counter()
    first: dict[tuple[str, str, str], str] = {}
    for resend, verdict in zip(resends, verdicts, strict=True):
        kind = (resend.letter.reason, resend.repair, f"rejected again: {verdict}" if verdict else "scored")
        kinds[kind] += 1
        first.setdefault(kind, resend.letter.id)
    table = Table("letters", "rejected for", "repair", "would be", "for example")
    for kind, count in kinds.most_common():
        table.add_row(f"{count:,}", kind[0], kind[1], escape(kind[2]), first[kind])
    return table


def _named(client: Client, name: str) -> Letter:
    """The letter of that id. Raises Refused."""
    from weir.core.errors import Refused
    from weir.edges.clickhouse import dead_letters

    found = dead_letters.letters(client, dead_letters.Selection(ids=[name]))
    if not found:
        raise Refused(f"there is no dead letter {name}", remedy="name it topic/partition/offset")
    return found[0]


def _described(settings: Settings, letter: Letter) -> dict[str, Any]:
    """Everything that is known of a letter, its fields if it decodes under its service's contract, else its bytes."""
    shown: dict[str, Any] = {
        "id": letter.id,
        "service": letter.service or "(recorder)",
        "stage": letter.stage,
        "reason": letter.reason,
        "detail": letter.detail,
        "rejected_at": letter.rejected_at,
        "recorded_from": f"{letter.log.topic}/{letter.log.partition}/{letter.log_offset}",
        "answered": "yes, in another life of the scorer" if letter.answered else "no",
        "key": None if letter.key is None else letter.key.decode(errors="backslashreplace"),
        "payload_bytes": None if letter.value is None else len(letter.value),
        "payload_sha256": letter.payload_sha256,
    }
    fields, why = _fields(settings, letter)
    if fields is not None:
        return shown | {"fields": fields}
    hexadecimal = (letter.value or b"")[:HEX_BYTES].hex(" ", 4)
    more = " ..." if len(letter.value or b"") > HEX_BYTES else ""
    return shown | {"fields": f"none: {why}", "payload": hexadecimal + more}


def _fields(settings: Settings, letter: Letter) -> tuple[dict[str, Any] | None, str]:
    from weir.core.errors import WeirError
    from weir.edges.schemas.contracts import contract_of
    from weir.edges.schemas.registry import Registry
    from weir.wire.decode import Decoder
    from weir.wire.repair import fields_of

    topic = letter.source.topic
    if letter.service and topic != settings.kafka.names.requests(letter.service):
        return None, f"{topic} is not the requests topic of {letter.service}"
    try:
        registry = Registry(settings.registry)
        decoder = Decoder(contract_of(settings, registry, topic), registry.schema_text)
        fields = fields_of(decoder, letter.value)
    except WeirError as error:  # the letter is shown all the same, and says what is lacking
        return None, str(error)
    return fields, "it does not decode"


def _selection(service: str, reason: str, since: datetime | None, until: datetime | None, **more: Any) -> Selection:
    from weir.core.errors import Refused
    from weir.core.rejects import Reason as Known
    from weir.core.times import BEGINNING, END
    from weir.edges.clickhouse.dead_letters import Selection

    if reason and reason not in set(Known):
        raise Refused(f"there is no reason {reason}", remedy=f"give one of {', '.join(Known)}")
    return Selection(
        service=service,
        reason=reason,
        begin=since.replace(tzinfo=UTC) if since else BEGINNING,
        end=until.replace(tzinfo=UTC) if until else END,
        **more,
    )


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
