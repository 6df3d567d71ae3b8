"""`weir ledger`: is every record that was read answered once?"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, Group
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weir.edges.clickhouse.dead_letters import RedriveState
    from weir.edges.clickhouse.ledger import LedgerReport, PartitionLedger

COLUMNS = ("partition", "offsets", "entries", "read", "scored", "rejected", "pending", "faults")
FAULTS = ("gaps", "missing", "duplicates", "stray", "unbalanced", "unread")
MEANINGS = {
    "gaps": "no entry covers these offsets",
    "missing": "read, and neither scored nor rejected",
    "duplicates": "answered more than once",
    "stray": "answered, and no entry covers them",
    "unbalanced": "entries that do not add up",
    "unread": "in the log, and not read yet",
}


def ledger(
    service: Annotated[str, typer.Option(help="One scoring service; all when left out.")] = "",
    against_log: Annotated[bool, typer.Option(help="Ask the broker, too: what has nobody read yet?")] = False,
) -> None:
    """Show that chunks tile the offsets and that every record read was answered once; exit status 1 when not.

    While requests come in, rows are on their way between two tables: it waits until they are in both, for
    WEIR_LEDGER_SETTLE_S seconds, and calls pending what came later.
    """
    from weir.edges.clickhouse import dead_letters
    from weir.edges.clickhouse import ledger as ledger_edge
    from weir.edges.clickhouse.client import connect
    from weir.edges.kafka import admin
    from weir.settings import load

    settings = load()
    client = connect(settings.recording)
    bounds = None
    if against_log:
        topic = settings.kafka.names.requests(service or settings.scoring.named_service)
        bounds = admin.bounds(settings.kafka, topic)
    report = ledger_edge.read_settled(client, service, bounds, settle_s=settings.recording.ledger_settle_s)
    redriven = dead_letters.redrive_states(client, service)
    repeated = sum(group.repeated for group in redriven)
    Console().print(render(report, repeated))
    if redriven:
        Console().print(render_redrives(redriven))
    if not report.complete or repeated:
        raise typer.Exit(1)


def render(report: LedgerReport, repeated: int) -> Group:
    """The report for a terminal: a table for each role and topic, then the first faults, then the verdict.

    repeated: dead letters that were sent again more than once.
    """
    parts: list[Table | str] = []
    for (role, topic), found in groupby(report.partitions, key=lambda part: (part.role, part.source_topic)):
        parts.append(_partitions(f"{role}: {topic}", list(found)))
    if report.faults:
        listed = Table("fault", "topic", "partition", "offsets", "count", title="first faults", title_justify="left")
        for fault in report.faults:
            span = f"{fault.first:,} - {fault.last:,}" if fault.last > fault.first else f"{fault.first:,}"
            listed.add_row(fault.kind, fault.source_topic, str(fault.source_partition), span, f"{fault.count:,}")
        parts.append(listed)
    parts.append(_verdict(report, repeated))
    return Group(*parts)


def render_redrives(redriven: Sequence[RedriveState]) -> str:
    """One line: how many dead letters were sent again, and what became of them."""
    told = ", ".join(f"{group.letters:,} {group.state}" for group in redriven)
    return f"{sum(group.letters for group in redriven):,} dead letters sent again: {told}"


def _partitions(title: str, partitions: list[PartitionLedger]) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in COLUMNS:
        table.add_column(heading, justify="left" if heading in ("offsets", "faults") else "right")
    for part in partitions:
        span = f"{part.first:,} - {part.last:,}" if part.entries else "none"
        counts = (part.entries, part.read, part.scored, part.rejected, part.pending)
        wrong = [f"[bold red]{getattr(part, name):,} {name}[/]" for name in FAULTS if getattr(part, name)]
        table.add_row(str(part.source_partition), span, *(f"{count:,}" for count in counts), ", ".join(wrong) or "none")
    return table


def _verdict(report: LedgerReport, repeated: int) -> str:
    if report.complete and not repeated:
        answered = f"{report.scored:,} scored + {report.rejected:,} rejected, each recorded once"
        if report.pending:
            return f"[bold green]complete so far[/]: {answered}; {report.pending:,} pending (between two tables)"
        return f"[bold green]complete[/]: {report.read:,} records read = {answered}"
    if not report.partitions:
        return "[bold red]empty[/]: nothing has been recorded"
    wrong = [f"{getattr(report, name):,} {name} ({MEANINGS[name]})" for name in FAULTS if getattr(report, name)]
    if repeated:
        wrong.append(f"{repeated:,} repeated (dead letters that were sent again more than once)")
    return f"[bold red]not complete[/]: {'; '.join(wrong) or 'no scorer has written an entry'}"
