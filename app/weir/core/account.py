"""What became of the records of a stretch of offsets, as the ledger tells it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from weir.core.chunk import Chunk, Partition

HOLES: Final = 16_384  # of one account, at most: 256 KiB of an entry, where a topic takes a MiB


@dataclass(frozen=True, slots=True)
class Account:
    """Offsets first to last of a partition are done with: `read` of them held a record, `rejected` of these in vain.

    holes: the others, as (first, last) in ascending order: transaction markers, aborted or compacted records.
    """

    source: Partition
    first: int
    last: int
    read: int
    rejected: int
    holes: tuple[tuple[int, int], ...] = ()

    @staticmethod
    def of(chunk: Chunk, rejected: npt.NDArray[np.integer]) -> list[Account]:
        """What became of a chunk: one account, or several for a log with very many holes.

        rejected: int[r], indices of its rejected records, ascending.
        """
        n = len(chunk)
        if chunk.last - chunk.first + 1 == n:
            return [Account(chunk.source, chunk.first, chunk.last, n, len(rejected))]
        edges = np.concatenate([[chunk.first - 1], chunk.offsets, [chunk.last + 1]])
        before = np.flatnonzero(np.diff(edges) > 1)  # a hole lies before each of these records, or at the end
        holes = list(zip((edges[before] + 1).tolist(), (edges[before + 1] - 1).tolist(), strict=True))
        cuts = range(HOLES, len(holes), HOLES)
        firsts = [chunk.first, *(holes[cut][0] for cut in cuts), chunk.last + 1]
        records = [0, *(int(before[cut]) for cut in cuts), n]
        turned_away = np.searchsorted(rejected, records)
        return [
            Account(
                chunk.source,
                first,
                end - 1,
                records[i + 1] - records[i],
                int(turned_away[i + 1] - turned_away[i]),
                tuple(holes[i * HOLES : (i + 1) * HOLES]),
            )
            for i, (first, end) in enumerate(pairwise(firsts))
        ]

    @staticmethod
    def joined(accounts: Iterable[Account]) -> list[Account]:
        """Neighbours put together; accounts of a partition come, and stay, in the order of their offsets.

        >>> t = Partition("t", 0)
        >>> Account.joined([Account(t, 0, 9, 10, 1), Account(t, 10, 19, 9, 0, ((19, 19),))])
        [Account(source=Partition(topic='t', partition=0), first=0, last=19, read=19, rejected=1, holes=((19, 19),))]
        """
        found: list[Account] = []
        latest: dict[Partition, int] = {}
        for account in accounts:
            at = latest.get(account.source)
            if at is not None and found[at]._continued_by(account):
                before = found[at]
                found[at] = replace(
                    before,
                    last=account.last,
                    read=before.read + account.read,
                    rejected=before.rejected + account.rejected,
                    holes=before.holes + account.holes,
                )
            else:
                latest[account.source] = len(found)
                found.append(account)
        return found

    def _continued_by(self, account: Account) -> bool:
        return self.last + 1 == account.first and len(self.holes) + len(account.holes) <= HOLES
