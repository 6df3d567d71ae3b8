"""Takes chunks of the generic topics, writes them to the store in blocks, says which chunks are done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.block import Block, Marks
from weir.core.chunk import Chunk, LogPartition
from weir.core.decoded import Decoded
from weir.core.rejects import Rejects
from weir.recording import tables
from weir.recording.blocks import PartitionBlocks, Piece
from weir.recording.rising import rising

NO_REJECTS = Rejects()
Shape = Callable[[pa.RecordBatch, Block, npt.NDArray[np.int64]], pa.RecordBatch]


class Store(Protocol):
    """Where blocks go. Every call may raise Unavailable, after which nothing is known of its effect."""

    def latest(self, source: LogPartition) -> Block | None:
        """The latest announced block of a log's partition."""
        ...

    def inherited(self, source: LogPartition) -> Marks:
        """Marks after the latest block of this topic and partition in another log; none where there is none."""
        ...

    def announce(self, block: Block) -> Block | None:
        """Announce a block durably, unless one of its number is announced; returns `latest` as it is then."""
        ...

    def insert(self, table: str, rows: pa.RecordBatch, block: Block, part: str) -> float:
        """Insert rows durably, deduplicated by the block's token and the part's name; seconds that it took."""
        ...

    def repeat(self, table: str, rows: pa.RecordBatch, block: Block, part: str) -> float:
        """Insert rows of a block that may be in already, wholly or in part; seconds that it took."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """How the records of one topic become rows of one table, and of others beside it.

    decode: record values -> Decoded. check: decoded rows -> rejects by row number.
    shape: (rows, block, offsets int64[n]) -> rows of the table. beside: the same by other tables.
    unnamed: rows -> digests of bundles of which it is not known what their values are called.
    sources, source_offset: columns of the filter against repeats; empty: every record counts.
    """

    table: str
    decode: Callable[[pa.LargeBinaryArray], Decoded]
    shape: Shape
    beside: Mapping[str, Shape] = field(default_factory=dict)
    unnamed: Callable[[pa.RecordBatch], tuple[str, ...]] = lambda _rows: ()
    check: Callable[[pa.RecordBatch], Rejects] = lambda _rows: NO_REJECTS
    sources: tuple[str, ...] = ()
    source_offset: str = "source_offset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One block that is in. repeats: rows that were there before. replayed: announced earlier or elsewhere."""

    table: str
    rows: int
    repeats: int
    rejected: int
    insert_s: float
    replayed: bool


@dataclass(frozen=True, slots=True)
class Flushed:
    """What a flush did.

    done: chunks to acknowledge, in order by partition. blocks: what was written. skipped: (partition, first, last) of
    offsets that the log no longer had when they were due.
    """

    done: list[Chunk] = field(default_factory=list)
    blocks: list[Recorded] = field(default_factory=list)
    skipped: list[tuple[LogPartition, int, int]] = field(default_factory=list)


# The builtin `map`, or a thread pool's.
Each = Callable[[Callable[[PartitionBlocks], Flushed], Iterable[PartitionBlocks]], Iterable[Flushed]]


class Recorder:
    """Exactly-once recording. Drive it so: take chunks, flush, acknowledge what `done` names.

    A flush is a block for each partition, so whoever drives it decides how large blocks are. One call at a time.
    After an exception drop it: a new one goes on from what the store holds.
    streams: by topic. block_max_rows: a flush of more than these records of a partition writes several blocks.
    """

    def __init__(self, store: Store, streams: Mapping[str, Stream], *, block_max_rows: int) -> None:
        self._store = store
        self._streams = streams
        self._max_rows = block_max_rows
        self._generation = 0
        self._partitions: dict[LogPartition, PartitionBlocks] = {}

    def take(self, chunk: Chunk) -> None:
        """Decode and queue a chunk. Raises Unavailable when the schema registry does not answer."""
        if chunk.generation != self._generation:  # dealt out again: each starts where it was committed
            self._partitions.clear()
            self._generation = chunk.generation
        stream = self._streams[chunk.source.topic]
        blocks = self._partitions.get(chunk.place)
        if blocks is None or not blocks.continues(chunk):
            blocks = self._partitions[chunk.place] = PartitionBlocks(chunk.place)
        decoded = stream.decode(chunk.values)
        rows, origin, rejects = decoded.rows, decoded.origin, decoded.rejects
        refused = stream.check(rows)
        if len(refused):
            good = np.setdiff1d(np.arange(len(origin)), refused.record)
            moved = Rejects(origin[refused.record].astype(np.int32), refused.stage, refused.reason, refused.detail)
            rows, origin, rejects = rows.take(pa.array(good)), origin[good], Rejects.concat([rejects, moved])
        blocks.take(Piece(chunk, chunk.first, chunk.last, rows, chunk.offsets[origin], rejects))

    def flush(self, each: Each = map) -> Flushed:
        """Write everything that waits.

        each: how to run over partitions; a thread pool's `map` writes several at a time, which the store must bear.
        Raises Unavailable when the store does not answer within its budget, Refused when it or the log holds something
        else than was announced.
        """
        parts = list(each(self._write, list(self._partitions.values())))
        return Flushed(
            [chunk for part in parts for chunk in part.done],
            [block for part in parts for block in part.blocks],
            [hole for part in parts for hole in part.skipped],
        )

    def _write(self, blocks: PartitionBlocks) -> Flushed:
        """Run one partition's state machine until nothing waits, or the announced block is not wholly here."""
        stream = self._streams[blocks.source.topic]
        written: list[Recorded] = []
        if not blocks.known:
            blocks.learn(self._store.latest(blocks.source))
            if blocks.latest is None and stream.sources:
                blocks.inherit(self._store.inherited(blocks.source))
        while blocks.waits:
            if not blocks.announced:
                pieces = blocks.propose(self._max_rows)
                rows = _rows(pieces)
                _, marks_after = _new_rows(stream, rows, blocks.marks)
                mine = blocks.announce(pieces, marks_after, stream.unnamed(rows))
                blocks.learn(self._store.announce(mine), mine)
            ready = blocks.ready()
            if ready is not None:
                written.append(self._insert(stream, blocks, ready))
                blocks.recorded()
            elif blocks.announced:
                break  # the rest of an announced block is still to be fetched
        holes = [(blocks.source, *hole) for hole in blocks.skipped]
        blocks.skipped.clear()
        return Flushed(blocks.acks(), written, holes)

    def _insert(self, stream: Stream, blocks: PartitionBlocks, pieces: Sequence[Piece]) -> Recorded:
        block = blocks.latest
        assert block is not None  # it is ready
        write = self._store.repeat if blocks.foreign else self._store.insert
        rows = _rows(pieces)
        new, _ = _new_rows(stream, rows, block.marks)
        offsets = np.concatenate([piece.offsets for piece in pieces])
        insert_s = 0.0
        repeats = len(offsets) - int(np.count_nonzero(new))
        if repeats:
            rows, offsets = rows.filter(pa.array(new)), offsets[new]
        if len(offsets):
            insert_s += write(stream.table, stream.shape(rows, block, offsets), block, "rows")
            for table, shape in stream.beside.items():
                if len(made := shape(rows, block, offsets)):
                    insert_s += write(table, made, block, table)
        # As announced: a chunk's own time depends on where the fetch cut the log, and a repeat must make the same rows.
        turned_away = [_is_final(piece, block.received_ms) for piece in pieces if len(piece.rejects)]
        if turned_away:
            insert_s += write("dead_letters", _joined(turned_away), block, "rejects")
        rejected = sum(len(piece.rejects) for piece in pieces)
        return Recorded(
            table=stream.table,
            rows=len(offsets),
            repeats=repeats,
            rejected=rejected,
            insert_s=insert_s,
            replayed=blocks.foreign,
        )


def _new_rows(stream: Stream, rows: pa.RecordBatch, marks: Marks) -> tuple[npt.NDArray[np.bool_], Marks]:
    if not stream.sources:
        return np.ones(len(rows), np.bool_), marks
    offsets = rows[stream.source_offset].to_numpy(zero_copy_only=False)
    return rising(marks, [rows[name] for name in stream.sources], offsets)


def _rows(pieces: Sequence[Piece]) -> pa.RecordBatch:
    return _joined([piece.rows for piece in pieces])


def _joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


def _is_final(piece: Piece, received_ms: int) -> pa.RecordBatch:
    chunk, record = piece.chunk, piece.rejects.record
    return tables.turned_away(
        chunk.place,
        chunk.offsets[record],
        piece.rejects,
        chunk.keys.take(record),
        chunk.values.take(record),
        received_ms,
    )
