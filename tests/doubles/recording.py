"""A recorder over chunks held in memory, with real Avro records, driven as an agent drives it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache, partial
from typing import Any

import pyarrow as pa
from weir.core.chunk import Chunk, Partition
from weir.core.decoded import Decoded
from weir.core.offset_tracker import OffsetTracker
from weir.core.topics import Names
from weir.recording import naming
from weir.recording import streams as recorded
from weir.recording.recorder import Recorder, Store, Stream
from weir.wire.decode import Decoder

from tests.doubles import records

MAX_BYTES = 1 << 20
PREDICTIONS = Partition("weir.predictions", 0)


@cache
def _decoder(record: str) -> Decoder:
    return Decoder(records.contract(record), lambda _schema_id: None)


def _decode(topic: str, values: Sequence[bytes | None]) -> Decoded:
    return _decoder(topic.removeprefix("weir.").replace("-", "_")).decode(values, MAX_BYTES)


def streams(names: naming.Names = records.names) -> dict[str, Stream]:
    return recorded.streams(Names("weir"), lambda topic: partial(_decode, topic), names)


def recorder(store: Store, max_rows: int = 10_000, names: naming.Names = records.names) -> Recorder:
    return Recorder(store, streams(names), block_max_rows=max_rows)


def counted(batches: Iterable[pa.RecordBatch]) -> dict[tuple[Any, ...], Counter[Any]]:
    """What rows of histogram_blocks say together.

    (kind, name, version, tenant, team, window in seconds) -> "n", "missing" and the like, bins and "word ..." ->
    predictions.
    """
    found: dict[tuple[Any, ...], Counter[Any]] = {}
    for line in (line for batch in batches for line in batch.to_pylist()):
        key = (*(line[name] for name in ("kind", "name", "version", "tenant", "team")), int(line["window"].timestamp()))
        counts = {name: line[name] for name in ("n", "missing", "below", "above", "rest")}
        kept = counts | dict(line["hist"]) | {f"word {word}": count for word, count in line["words"]}
        found.setdefault(key, Counter()).update({what: count for what, count in kept.items() if count})
    return found


class Group:
    """A consumer group's committed offset of one partition, and the book of one of its workers."""

    def __init__(self) -> None:
        self.committed = 0
        self.tracker = OffsetTracker()

    def restart(self) -> None:
        self.tracker = OffsetTracker()

    def acknowledge(self, done: Sequence[Chunk]) -> None:
        for chunk in done:
            self.tracker.ack(chunk.first, chunk.last)
        self.committed = self.tracker.committable or self.committed
