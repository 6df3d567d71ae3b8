"""The blocks of one log partition: an explicit state machine of announce, insert, acknowledge. No IO.

    unknown --learn(latest)--> announced --ready(), recorded()--> free --announce(), learn(winner)--> announced --> ...

- Block n + 1 is announced only after block n was recorded. So an announcement proves every earlier block, and of all
  blocks only the latest may or may not be in.
- Whoever learns of an announcement that he has not seen recorded repeats exactly that block: the same offsets, the same
  marks, the same deduplication token. This holds after a crash, after a rebalance, and for a recorder whose own
  announcement lost against another's (a zombie), so that all recorders of a partition write the same blocks.
- A chunk is acknowledged when every block that covers it is recorded.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.arrow import buffers_of
from weir.core.block import Block, Marks
from weir.core.chunk import Chunk, LogPartition
from weir.core.errors import Refused
from weir.core.rejects import Rejects


@dataclass(frozen=True, slots=True)
class Piece:
    """Offsets [first, last] of a chunk, decoded.

    rows: n decoded rows, ascending by offset; offsets: int64[n]. rejects: what could not be read; `record` counts in
    the chunk.
    """

    chunk: Chunk
    first: int
    last: int
    rows: pa.RecordBatch
    offsets: npt.NDArray[np.int64]
    rejects: Rejects

    def clip(self, first: int, last: int) -> Piece:
        """The part within [first, last]; itself when it lies within."""
        if first <= self.first and self.last <= last:
            return self
        low, high = np.searchsorted(self.offsets, [first, last + 1])
        where = self.chunk.offsets[self.rejects.record]
        kept = np.flatnonzero((where >= first) & (where <= last))
        rejects = Rejects(
            self.rejects.record[kept],
            tuple(self.rejects.stage[i] for i in kept),
            tuple(self.rejects.reason[i] for i in kept),
            tuple(self.rejects.detail[i] for i in kept),
        )
        return replace(
            self,
            first=max(first, self.first),
            last=min(last, self.last),
            rows=self.rows.slice(low, high - low),
            offsets=self.offsets[low:high],
            rejects=rejects,
        )

    def checksum(self, start: int) -> int:
        """crc32 over the values of its records, going on from `start`; independent of where chunks are cut."""
        low, high = np.searchsorted(self.chunk.offsets, [self.first, self.last + 1])
        offsets, memory = buffers_of(self.chunk.values)
        return zlib.crc32(memory[offsets[low] : offsets[high]].data, start)


def checksum(pieces: Sequence[Piece]) -> int:
    """crc32 over the records of adjoining pieces."""
    total = 0
    for piece in pieces:
        total = piece.checksum(total)
    return total


class PartitionBlocks:
    """Pending pieces and the latest known block of one log partition. See the module for the rules."""

    def __init__(self, source: LogPartition) -> None:
        self.source = source
        self.latest: Block | None = None
        self.known = False  # has the store been asked for the latest block?
        self.announced = False  # `latest` is announced and not known to be recorded
        self.foreign = False  # `latest` was announced by someone else, or before a crash
        self._inherited: Marks = {}
        self.skipped: list[tuple[int, int]] = []  # offsets that the log no longer had when they were due
        self._pieces: deque[Piece] = deque()
        self._unacked: deque[Chunk] = deque()

    @property
    def waits(self) -> bool:
        """Whether anything is pending."""
        return bool(self._pieces)

    @property
    def marks(self) -> Marks:
        """Marks from which the next block starts."""
        return self.latest.marks_after if self.latest else self._inherited

    def continues(self, chunk: Chunk) -> bool:
        """Whether the chunk follows what was taken before; False: the partition was given away and came back."""
        return not self._unacked or chunk.first == self._unacked[-1].last + 1

    def take(self, piece: Piece) -> None:
        """Queue a decoded chunk."""
        self._pieces.append(piece)
        self._unacked.append(piece.chunk)
        self._settle()

    def learn(self, latest: Block | None, mine: Block | None = None) -> None:
        """What the store holds as the latest block: asked at the start, or read back after announcing `mine`.

        Raises Refused when the store has lost a block that it once held.
        """
        held = latest.number if latest else 0
        due = mine or self.latest
        if due and held < due.number:
            raise Refused(
                f"block {due.number} is gone from recorder_blocks, which ends at {held}",
                where=str(self.source),
                remedy="delete no rows of recorder_blocks; record into another database (WEIR_CLICKHOUSE_DATABASE)",
            )
        self.latest, self.known, self.announced, self.foreign = latest, True, latest is not None, latest != mine
        self._settle()

    def inherit(self, marks: Marks) -> None:
        """Marks of an earlier log of this topic: what was recorded from it may come again in this one."""
        self._inherited = marks

    def propose(self, max_rows: int) -> list[Piece]:
        """Pieces of the next block: everything pending, but no further piece once max_rows records are reached."""
        chosen: list[Piece] = []
        rows = 0
        for piece in self._pieces:
            chosen.append(piece)
            rows += len(piece.offsets) + len(piece.rejects)
            if rows >= max_rows:
                break
        return chosen

    def announce(self, pieces: Sequence[Piece], marks_after: Marks, unnamed: tuple[str, ...] = ()) -> Block:
        """The announcement of these pieces as the next block."""
        return Block(
            source=self.source,
            number=self.latest.number + 1 if self.latest else 1,
            first=pieces[0].first,
            last=pieces[-1].last,
            checksum=checksum(pieces),
            marks=self.marks,
            marks_after=marks_after,
            received_ms=pieces[-1].chunk.newest_ms,
            unnamed=unnamed,
        )

    def ready(self) -> list[Piece] | None:
        """Pieces of the announced block, once all of them are here; None before.

        Raises Refused when the log no longer holds what was announced.
        """
        block = self.latest
        if not self.announced or block is None or not self._pieces or self._pieces[-1].last < block.last:
            return None
        pieces = [piece.clip(block.first, block.last) for piece in self._pieces if piece.first <= block.last]
        # Where the head of the block was acknowledged (so: recorded), the rest cannot be checked against the whole.
        if pieces[0].first == block.first and checksum(pieces) != block.checksum:
            raise Refused(
                f"offsets {block.first} to {block.last} no longer hold what was announced for recording",
                where=str(self.source),
                remedy="see the broker's log, which has lost records; set WEIR_CLICKHOUSE_DATABASE to record anew",
            )
        return pieces

    def recorded(self) -> None:
        """The announced block is durable."""
        self.announced = False
        self._settle()

    def acks(self) -> list[Chunk]:
        """Chunks that are wholly recorded, each handed out once, in order."""
        if not self.known:
            return []
        done: list[Chunk] = []
        while self._unacked and self._unacked[0].last < self._next():
            done.append(self._unacked.popleft())
        return done

    def _next(self) -> int:
        """First offset not known to be recorded."""
        if self.latest is None:
            return 0
        return self.latest.first if self.announced else self.latest.last + 1

    def _settle(self) -> None:
        """Drop what is recorded from the pending pieces."""
        if self.known and self.latest and self._pieces and self._pieces[0].first > self.latest.last:
            # The group's position is past the latest block, so that is recorded.
            self.announced = False
            hole = (self.latest.last + 1, self._pieces[0].first - 1)
            if hole[0] <= hole[1] and hole not in self.skipped:
                self.skipped.append(hole)
        start = self._next() if self.known else 0
        while self._pieces and self._pieces[0].last < start:
            self._pieces.popleft()
        if self._pieces and self._pieces[0].first < start:
            self._pieces[0] = self._pieces[0].clip(start, self._pieces[0].last)
