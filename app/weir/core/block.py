"""A block of a log as the recorder announces it, and the marks that go with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from weir.core.chunk import LogPartition

Source = tuple[str | int, ...]  # (source log, source partition)
Marks = Mapping[Source, int]  # source -> highest source offset recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """An announcement: offsets [first, last] of `source` become block `number` (from 1).

    checksum: crc32 over the values of its records. marks, marks_after: before and after its rows; the filter against
    repeats starts from `marks`. received_ms: broker time of its newest record, milliseconds since the epoch. unnamed:
    digests of bundles whose values had no names then: whoever repeats the block gives them none, either.
    """

    source: LogPartition
    number: int
    first: int
    last: int
    checksum: int
    marks: Marks
    marks_after: Marks
    received_ms: int
    unnamed: tuple[str, ...] = ()

    @property
    def token(self) -> str:
        """Deduplication token of its inserts; the same for everyone who repeats the block."""
        return f"{self.source.log}/{self.source.partition}/{self.number}/{self.first}-{self.last}"


def dump_marks(marks: Marks) -> str:
    """Marks as JSON text, the same text for equal marks.

    >>> dump_marks({("r", 1): 7})
    '[["r", 1, 7]]'
    """
    return json.dumps(sorted([*source, offset] for source, offset in marks.items()))


def load_marks(text: str) -> Marks:
    """The inverse of `dump_marks`.

    >>> load_marks('[["r", 1, 7]]')
    {('r', 1): 7}
    """
    return {tuple(entry[:-1]): entry[-1] for entry in json.loads(text)}
