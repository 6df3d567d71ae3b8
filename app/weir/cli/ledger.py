"""`weir ledger`: is every record that was read answered once?"""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from weir.cli.arguments import check_service, reached
from weir.cli.output import AsJson, Column, say, show, show_json, show_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weir.core.chunk import LogPartition
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
FIRST = (
    Column("fault", "kind"),
    Column("topic", "source_topic", name=True),
    Column("log", "source_log", name=True),
    Column("partition", "source_partition", right=True),
    Column("offsets", "offsets", name=True),
    Column("count", "count", "{:,}".format, right=True),
)


def ledger(
    service: Annotated[str, typer.Option(help="One scoring service; by default all of them.")] = "",
    against_log: Annotated[
        bool, typer.Option("--against-log", help="Also ask the broker which records nobody has read yet.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check that every offset was read once and every request answered once; exit status 1 when not.

    It is safe to run while requests come in. A row recorded less than WEIR_LEDGER_SETTLE_S seconds ago whose
    counterpart has not arrived yet counts as pending, not as a fault.
    """
    from weir.edges.clickhouse import dead_letters
    from weir.edges.clickhouse import ledger as ledger_edge
    from weir.edges.clickhouse.client import connect
    from weir.edges.kafka import logs
    from weir.operations.answers import services_of

    settings = reached()
    client = connect(settings.recording)
    check_service(service, settings, client)
    bounds: dict[LogPartition, tuple[int, int]] = {}
    for name in ([service] if service else services_of(settings)) if against_log else []:
        bounds |= logs.bounds_of(settings.kafka, settings.kafka.names.requests(name))
    report = ledger_edge.read_settled(client, service, bounds, settle_s=settings.recording.ledger_settle_s)
    redriven = dead_letters.redrive_states(client, service)
    repeated = sum(group.repeated for group in redriven)
    if as_json:
        show_json(_plain(report, redriven, repeated))
    else:
        _show(report, redriven, repeated)
    if not report.complete or repeated:
        raise typer.Exit(1)


def _plain(report: LedgerReport, redriven: Sequence[RedriveState], repeated: int) -> dict[str, Any]:
    found = asdict(report)
    partitions = [asdict(part) | {"complete": part.complete} for part in report.partitions]
    return found | {
        "complete": report.complete and not repeated,
        "repeated": repeated,
        "partitions": partitions,
        "redriven": [asdict(group) for group in redriven],
    }


def _show(report: LedgerReport, redriven: Sequence[RedriveState], repeated: int) -> None:
    """A table for each role and log, then the first faults, then the verdict."""
    for (role, topic, log), found in groupby(report.partitions, _log_of):
        say(f"[italic]{role}: {topic}, log {log}[/]")
        show_table(_partitions(list(found)))
    if report.faults:
        rows = [asdict(fault) | {"offsets": _span(fault.first, fault.last)} for fault in report.faults]
        show(rows, FIRST, title="first faults", as_json=False)
    say(_verdict(report, repeated))
    sent = [group for group in redriven if group.state != "given up"]
    if sent:
        states = ", ".join(f"{group.letters:,} {group.state}" for group in sent)
        say(f"{sum(group.letters for group in sent):,} dead letters sent again: {states}")
    if given_up := sum(group.letters for group in redriven if group.state == "given up"):
        say(f"{given_up:,} dead letters given up")


def _log_of(partition: PartitionLedger) -> tuple[str, str, str]:
    return partition.role, partition.source_topic, partition.source_log


def _span(first: int, last: int) -> str:
    return f"{first:,} - {last:,}" if last > first else f"{first:,}"


def _partitions(partitions: list[PartitionLedger]) -> Table:
    table = Table()
    for heading in COLUMNS:
        left = heading in ("offsets", "faults")
        table.add_column(heading, justify="left" if left else "right", no_wrap=heading != "faults", overflow="fold")
    for part in partitions:
        span = _span(part.first, part.last) if part.entries else "none"
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
