"""Asks the ledger: do chunks tile the offsets, and is every record that was read answered once?"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clickhouse_connect.driver import Client

from weir.core.chunk import LogPartition
from weir.edges.clickhouse import sql_files

LOOK_EVERY_S = 1.0  # ClickHouse notes in whole seconds when a row was recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionLedger:
    """A log's partition as one role and service has read it; sql/ledger/partitions.sql says what the numbers count.

    unread: records of the log outside [first, last], where the log's bounds were given.
    """

    role: str
    service: str
    source_log: str
    source_topic: str
    source_partition: int
    first: int
    last: int
    entries: int
    read: int
    scored: int
    rejected: int
    both: int
    gaps: int
    missing: int
    duplicates: int
    stray: int
    unbalanced: int
    pending: int
    unread: int = 0

    @property
    def complete(self) -> bool:
        """Whether nothing is at fault; what is pending may still be."""
        return not (self.gaps or self.missing or self.duplicates or self.stray or self.unbalanced or self.unread)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Offsets [first, last] at fault. kind: gap, missing or duplicate. count: offsets, or rows beyond one."""

    kind: str
    role: str
    source_log: str
    source_topic: str
    source_partition: int
    first: int
    last: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerReport:
    """Sums over partitions: of all roles for gaps, duplicates, unbalanced; of scorers for the rest.

    complete: every partition is, there is a scorer's entry at all, and every partition with bounds has been read.
    pending: neither complete nor at fault yet; 0 of a ledger that was read with settle_s 0.
    faults: the first of them, for whoever looks into it; empty when complete.
    """

    complete: bool
    read: int
    scored: int
    rejected: int
    gaps: int
    duplicates: int
    missing: int
    stray: int
    unbalanced: int
    unread: int
    pending: int
    partitions: tuple[PartitionLedger, ...]
    faults: tuple[Fault, ...]


def read(
    client: Client,
    service: str = "",
    bounds: Mapping[LogPartition, tuple[int, int]] | None = None,
    *,
    settle_s: int = 0,
    max_faults: int = 20,
) -> LedgerReport:
    """The ledger of a service, or of all.

    bounds: first offset and end (last + 1) of request partitions, as the broker or the producer knows them; with them
    also records count that nobody has read. settle_s: for so long a row that is recorded may lack its other half, the
    entry of its offset or the answer, and counts as pending; 0: not at all, which fits when nothing is under way.
    Raises Unavailable, Refused.
    """
    bounds = bounds or {}
    rows = sql_files.rows(client, "ledger/partitions", service=service, settle_s=settle_s)
    found = [_partition(row, bounds) for row in rows]
    scorers = [partition for partition in found if partition.role == "scorer"]
    seen = {LogPartition(one.source_log, one.source_topic, one.source_partition) for one in scorers}
    unseen = sum(end - first for source, (first, end) in bounds.items() if source not in seen)
    complete = bool(scorers) and not unseen and all(partition.complete for partition in found)
    return LedgerReport(
        complete=complete,
        read=sum(partition.read for partition in scorers),
        scored=sum(partition.scored for partition in scorers),
        rejected=sum(partition.rejected for partition in scorers),
        gaps=sum(partition.gaps for partition in found),
        duplicates=sum(partition.duplicates for partition in found),
        missing=sum(partition.missing for partition in scorers),
        stray=sum(partition.stray for partition in scorers),
        unbalanced=sum(partition.unbalanced for partition in found),
        unread=unseen + sum(partition.unread for partition in scorers),
        pending=sum(partition.pending for partition in scorers),
        partitions=tuple(found),
        faults=() if complete else _faults(client, service, settle_s, max_faults),
    )


def services(client: Client) -> tuple[str, ...]:
    """Services of which something is recorded, sorted. Raises Unavailable, Refused."""
    return tuple(str(row["service"]) for row in sql_files.rows(client, "ledger/services"))


def read_settled(
    client: Client, service: str = "", bounds: Mapping[LogPartition, tuple[int, int]] | None = None, *, settle_s: int
) -> LedgerReport:
    """The same, once nothing is pending or all that was pending at the first look has had its time.

    While requests come in there is always something pending: this takes settle_s and a second then.
    Raises Unavailable, Refused.
    """
    until = time.monotonic() + settle_s + LOOK_EVERY_S
    while (report := read(client, service, bounds, settle_s=settle_s)).pending and time.monotonic() < until:
        time.sleep(LOOK_EVERY_S)
    return report


def _partition(row: dict[str, Any], bounds: Mapping[LogPartition, tuple[int, int]]) -> PartitionLedger:
    unread = 0
    bound = bounds.get(LogPartition(row["source_log"], row["source_topic"], row["source_partition"]))
    if bound and row["role"] == "scorer":
        first, end = bound
        unread = max(row["first"] - first, 0) + max(end - 1 - row["last"], 0) if row["entries"] else end - first
    return PartitionLedger(**row, unread=unread)


def _faults(client: Client, service: str, settle_s: int, limit: int) -> tuple[Fault, ...]:
    found = []
    for kind in ("gaps", "missing", "duplicates"):
        more = {"settle_s": settle_s} if kind == "missing" else {}
        for row in sql_files.rows(client, f"ledger/{kind}", service=service, limit=limit, **more):
            found.append(
                Fault(
                    kind=kind.removesuffix("s"),
                    role=row.get("role", "scorer"),
                    source_log=row["source_log"],
                    source_topic=row["source_topic"],
                    source_partition=row["source_partition"],
                    first=row["first"],
                    last=row["last"],
                    count=row["count"],
                )
            )
    return tuple(found)
