"""A block store in memory, under the rules of ClickHouse's deduplication; and one that dies at a chosen step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pyarrow as pa
from weir.core.block import Block, Marks, dump_marks, load_marks
from weir.core.chunk import LogPartition
from weir.recording.recorder import Store

T = TypeVar("T")


class Killed(BaseException):
    """The process ends here: nothing may catch it."""


class MemoryBlocks:
    """Implements recording.recorder.Store. tables: name -> inserted batches; tokens are remembered for ever."""

    def __init__(self) -> None:
        self.blocks: dict[LogPartition, dict[int, Block]] = {}
        self.tables: dict[str, list[pa.RecordBatch]] = {}
        self.tokens: set[tuple[str, str]] = set()

    def latest(self, source: LogPartition) -> Block | None:
        known = self.blocks.get(source, {})
        return known[max(known)] if known else None

    def inherited(self, source: LogPartition) -> Marks:
        others = [
            blocks for other, blocks in self.blocks.items() if other[1:] == source[1:] and other.log != source.log
        ]
        return others[-1][max(others[-1])].marks_after if others else {}

    def announce(self, block: Block) -> Block | None:
        through_text = Block(
            source=block.source,
            number=block.number,
            first=block.first,
            last=block.last,
            checksum=block.checksum,
            marks=load_marks(dump_marks(block.marks)),
            marks_after=load_marks(dump_marks(block.marks_after)),
            received_ms=block.received_ms,
            unnamed=block.unnamed,
        )
        self.blocks.setdefault(block.source, {}).setdefault(block.number, through_text)
        return self.latest(block.source)

    def insert(self, table: str, rows: pa.RecordBatch, block: Block, part: str) -> float:
        token = (table, f"{block.token}/{part}")
        if token not in self.tokens:
            self.tokens.add(token)
            self.tables.setdefault(table, []).append(rows)
        return 0.0

    def repeat(self, table: str, rows: pa.RecordBatch, block: Block, part: str) -> float:
        return self.insert(table, rows, block, part)

    def column(self, table: str, name: str) -> list[object]:
        return [value for batch in self.tables.get(table, []) for value in batch[name].to_pylist()]


class Mortal:
    """Passes calls on, and dies before or after one of them; `steps` counts both, so every gap has a number."""

    def __init__(self, store: Store, dies_at: int | None = None) -> None:
        self.store, self.dies_at, self.steps = store, dies_at, 0

    def _step(self) -> None:
        if self.steps == self.dies_at:
            raise Killed
        self.steps += 1

    def _around(self, call: Callable[[], T]) -> T:
        self._step()
        value = call()
        self._step()
        return value

    def latest(self, source: LogPartition) -> Block | None:
        return self._around(lambda: self.store.latest(source))

    def inherited(self, source: LogPartition) -> Marks:
        return self._around(lambda: self.store.inherited(source))

    def announce(self, block: Block) -> Block | None:
        return self._around(lambda: self.store.announce(block))

    def insert(self, table: str, rows: pa.RecordBatch, block: Block, part: str) -> float:
        return self._around(lambda: self.store.insert(table, rows, block, part))

    def repeat(self, table: str, rows: pa.RecordBatch, block: Block, part: str) -> float:
        return self._around(lambda: self.store.repeat(table, rows, block, part))
