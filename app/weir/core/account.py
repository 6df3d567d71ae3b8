"""What became of the records of a stretch of offsets, as the ledger tells it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from weir.core.chunk import Partition


@dataclass(frozen=True, slots=True)
class Account:
    """Offsets first to last of a partition are done with: `read` of them held a record, `rejected` of these in vain."""

    source: Partition
    first: int
    last: int
    read: int
    rejected: int

    @staticmethod
    def joined(accounts: Iterable[Account]) -> list[Account]:
        """Neighbours put together; accounts of a partition come, and stay, in the order of their offsets.

        >>> t = Partition("t", 0)
        >>> Account.joined([Account(t, 0, 9, 10, 1), Account(t, 10, 19, 9, 0), Account(t, 30, 30, 1, 0)])[0]
        Account(source=Partition(topic='t', partition=0), first=0, last=19, read=19, rejected=1)
        """
        found: list[Account] = []
        latest: dict[Partition, int] = {}
        for account in accounts:
            at = latest.get(account.source)
            if at is not None and found[at].last + 1 == account.first:
                before = found[at]
                found[at] = replace(
                    before,
                    last=account.last,
                    read=before.read + account.read,
                    rejected=before.rejected + account.rejected,
                )
            else:
                latest[account.source] = len(found)
                found.append(account)
        return found
