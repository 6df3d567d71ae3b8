"""What became of the records of a stretch of offsets, as the ledger tells it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from weir.core.chunk import Chunk, LogPartition

HOLES: Final = 16_384  # of one entry, at most: 256 KiB, where a topic takes a MiB


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """Offsets first to last of a partition are done with: `read` of them held a record, `rejected` of these in vain.

    holes: the others, as (first, last) in ascending order: transaction markers, aborted or compacted records.
    """

    source: LogPartition
    first: int
    last: int
    read: int
    rejected: int
    holes: tuple[tuple[int, int], ...] = ()

    @staticmethod
    def of(chunk: Chunk, rejected: npt.NDArray[np.integer]) -> list[LedgerEntry]:
        """What became of a chunk: one entry, or several for a log with very many holes.

        rejected: int[r], indices of its rejected records, ascending.
        """
        n = len(chunk)
        if chunk.last - chunk.first + 1 == n:
            return [LedgerEntry(chunk.place, chunk.first, chunk.last, n, len(rejected))]
        edges = np.concatenate([[chunk.first - 1], chunk.offsets, [chunk.last + 1]])
        before = np.flatnonzero(np.diff(edges) > 1)  # a hole lies before each of these records, or at the end
        holes = list(zip((edges[before] + 1).tolist(), (edges[before + 1] - 1).tolist(), strict=True))
        cuts = range(HOLES, len(holes), HOLES)
        firsts = [chunk.first, *(holes[cut][0] for cut in cuts), chunk.last + 1]
        records = [0, *(int(before[cut]) for cut in cuts), n]
        before_cut = np.searchsorted(rejected, records)
        return [
            LedgerEntry(
                chunk.place,
                first,
                end - 1,
                records[i + 1] - records[i],
                int(before_cut[i + 1] - before_cut[i]),
                tuple(holes[i * HOLES : (i + 1) * HOLES]),
            )
            for i, (first, end) in enumerate(pairwise(firsts))
        ]

    @staticmethod
    def joined(entries: Iterable[LedgerEntry]) -> list[LedgerEntry]:
        """Neighbours put together; entries of a partition come, and stay, in the order of their offsets.

        >>> t = LogPartition("log", "t", 0)
        >>> (entry,) = LedgerEntry.joined([LedgerEntry(t, 0, 9, 10, 1), LedgerEntry(t, 10, 19, 9, 0, ((19, 19),))])
        >>> (entry.first, entry.last, entry.read, entry.rejected, entry.holes)
        (0, 19, 19, 1, ((19, 19),))
        """
        found: list[LedgerEntry] = []
        latest: dict[LogPartition, int] = {}
        for entry in entries:
            at = latest.get(entry.source)
            if at is not None and found[at]._continued_by(entry):
                before = found[at]
                found[at] = replace(
                    before,
                    last=entry.last,
                    read=before.read + entry.read,
                    rejected=before.rejected + entry.rejected,
                    holes=before.holes + entry.holes,
                )
            else:
                latest[entry.source] = len(found)
                found.append(entry)
        return found

    def _continued_by(self, entry: LedgerEntry) -> bool:
        return self.last + 1 == entry.first and len(self.holes) + len(entry.holes) <= HOLES
