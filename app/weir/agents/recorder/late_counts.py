"""Predictions that were recorded without names are counted before they are named, each once whoever dies meanwhile.

As with all that is recorded: what is about to be counted is announced as a block, and whoever finds it repeats it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
from clickhouse_connect.driver import Client
from typing_extensions import override

from weir.core.block import Block, Marks, Source
from weir.core.bundle_names import BundleNames
from weir.core.chunk import LogPartition
from weir.edges.clickhouse import bundle_names
from weir.recording import histograms, naming
from weir.recording.recorder import Store

HISTOGRAMS: Final = 500_000  # of one block: an insert of fewer rows is one part, in or not
ROWS: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Only(naming.Names):
    """Implements Names: of one bundle."""

    names: BundleNames

    @override
    def of(self, digests: Sequence[str]) -> Mapping[str, BundleNames]:
        return {digest: self.names for digest in digests if digest == self.names.digest}

    @override
    def lack(self, rows: Mapping[str, int]) -> None:
        pass


def count(client: Client, store: Store, topic: str, names: BundleNames) -> Marks:
    """Count all predictions of a bundle that can be named; how far they are counted, by log and partition.

    topic: of predictions. Raises Unavailable, Refused.
    """
    place = LogPartition(f"named:{names.digest}", topic, -1)
    latest = store.latest(place)
    if latest is not None:  # it may be announced and no more
        _insert(client, store, latest, names)
    limit = min(ROWS, HISTOGRAMS // (len(names.inputs) + 2 * len(names.views) + len(names.outputs) + 2) + 1)
    while True:
        marks = latest.marks_after if latest else {}
        rows = bundle_names.packed(client, names, marks, limit=limit)
        if not len(rows):
            return marks
        number = latest.number + 1 if latest else 1
        mine = Block(
            source=place,
            number=number,
            first=number,
            last=number,
            checksum=0,
            marks=marks,
            marks_after={**marks, **_ends(rows)},
            received_ms=0,
        )
        latest = store.announce(mine)
        assert latest is not None  # one was announced just now
        _insert(client, store, latest, names)


def _insert(client: Client, store: Store, block: Block, names: BundleNames) -> None:
    rows = bundle_names.packed(client, names, block.marks, block.marks_after)
    made = histograms.of(rows, block.source, block.first, _Only(names)) if len(rows) else rows
    if len(made):
        store.repeat("histogram_blocks", made, block, "histogram_blocks")


def _ends(rows: pa.RecordBatch) -> dict[Source, int]:
    """(log, partition) -> its last offset; rows: ascending."""
    columns = (rows[name].to_pylist() for name in ("log_id", "log_partition", "log_offset"))
    return {(log, partition): offset for log, partition, offset in zip(*columns, strict=True)}
