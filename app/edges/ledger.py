"""Asks the ledger: do chunks tile the offsets, and is every record that was read answered once?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clickhouse_connect.driver import Client

from app.core.chunk import Partition
from app.edges import sql_files


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionLedger:
    """One partition as one role and service has read it; app/sql/ledger/partitions.sql says what the numbers count.

    unread: records of the log outside [first, last], where the log's bounds were given.
    """

    role: str
    service: str
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
    unread: int = 0

    @property
    def complete(self) -> bool:
        """Whether nothing is at fault."""
        return not (self.gaps or self.missing or self.duplicates or self.stray or self.unbalanced or self.unread)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Offsets [first, last] at fault. kind: gap, missing or duplicate. count: offsets, or rows beyond one."""

    kind: str
    role: str
    source_topic: str
    source_partition: int
    first: int
    last: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerReport:
    """Sums over partitions: of all roles for gaps, duplicates, unbalanced; of scorers for the rest.

    complete: every partition is, there is a scorer's entry at all, and every partition with bounds has been read.
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
    partitions: tuple[PartitionLedger, ...]
    faults: tuple[Fault, ...]


def read(
    client: Client, service: str = "", bounds: Mapping[Partition, tuple[int, int]] | None = None, max_faults: int = 20
) -> LedgerReport:
    """The ledger of a service, or of all.

    bounds: first offset and end (last + 1) of request partitions, as the broker or the producer knows them; with them
    also records count that nobody has read. Raises Unavailable, Refused.
    """
    bounds = bounds or {}
    found = [_partition(row, bounds) for row in sql_files.rows(client, "ledger/partitions", service=service)]
    scorers = [partition for partition in found if partition.role == "scorer"]
    seen = {Partition(partition.source_topic, partition.source_partition) for partition in scorers}
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
        partitions=tuple(found),
        faults=() if complete else _faults(client, service, max_faults),
    )


def _partition(row: dict[str, Any], bounds: Mapping[Partition, tuple[int, int]]) -> PartitionLedger:
    unread = 0
    bound = bounds.get(Partition(row["source_topic"], row["source_partition"]))
    if bound and row["role"] == "scorer":
        first, end = bound
        unread = max(row["first"] - first, 0) + max(end - 1 - row["last"], 0) if row["entries"] else end - first
    return PartitionLedger(**row, unread=unread)


def _faults(client: Client, service: str, limit: int) -> tuple[Fault, ...]:
    found = []
    for kind in ("gaps", "missing", "duplicates"):
        for row in sql_files.rows(client, f"ledger/{kind}", service=service, limit=limit):
            found.append(
                Fault(
                    kind=kind.removesuffix("s"), role=row.get("role", "scorer"), source_topic=row["source_topic"],
                    source_partition=row["source_partition"], first=row["first"], last=row["last"], count=row["count"],
                )
            )
    return tuple(found)
