"""How far the log of a service's requests is read, answered and recorded; and which offsets a window holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from weir.core.chunk import LogPartition


@dataclass(frozen=True, slots=True, order=True)
class Cover:
    """Offsets [first, last] of a partition, between which the predictions of a window lie."""

    source: LogPartition
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One partition of a log of requests, as far as it is recorded.

    newest: newest event time, UTC; None where no prediction is recorded. last_covered, last_answered: offsets, -1
    without. waiting: records behind the last answer that were read and have none yet.
    """

    source: LogPartition
    newest: datetime | None
    last_covered: int
    last_answered: int
    waiting: int
