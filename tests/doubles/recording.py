"""A recorder over chunks held in memory, with real Avro records, driven as an agent drives it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import pyarrow as pa
from weir.core.chunk import Chunk, Partition
from weir.core.decoded import Decoded
from weir.core.offset_tracker import OffsetTracker
from weir.recording import histograms, naming, tables
from weir.recording.recorder import Recorder, Store, Stream
from weir.wire.decode import Decoder

from tests.doubles import records

MAX_BYTES = 1 << 20
PREDICTIONS = Partition("weir.predictions", 0)


@cache
def _decoder(record: str) -> Decoder:
    return Decoder(records.contract(record), lambda _schema_id: None)


def _decode(record: str, values: Sequence[bytes | None]) -> Decoded:
    return _decoder(record).decode(values, MAX_BYTES)


def streams(names: naming.Names = records.names) -> dict[str, Stream]:
    return {
        "weir.predictions": Stream(
            table="predictions",
            decode=lambda values: _decode("predictions", values),
            check=tables.check_predictions,
            shape=lambda rows, block, offsets: tables.predictions(
                rows, block.source, offsets, naming.AsAnnounced(names, block.unnamed)
            ),
            beside={
                "histogram_blocks": lambda rows, block, offsets: histograms.of(
                    rows, block.source, block.first, naming.AsAnnounced(names, block.unnamed)
                )
            },
            unnamed=lambda rows: naming.unnamed(rows, names),
            sources=("source_log", "source_partition"),
        ),
        "weir.shadows": Stream(
            table="shadows",
            decode=lambda values: _decode("shadows", values),
            shape=lambda rows, block, offsets: tables.shadows(rows, block.source, offsets, names),
            sources=("source_log", "source_partition", "variant"),
        ),
        "weir.outcomes": Stream(
            table="outcomes",
            decode=lambda values: _decode("outcomes", values),
            check=tables.check_outcomes,
            shape=lambda rows, block, offsets: tables.outcomes(rows, block.source, offsets, block.received_ms),
        ),
        "weir.dead-letters": Stream(
            table="dead_letters",
            decode=lambda values: _decode("dead_letters", values),
            check=tables.check_dead_letters,
            shape=lambda rows, block, offsets: tables.dead_letters(rows, block.source, offsets),
            sources=("source_log", "source_partition"),
        ),
        "weir.batches": Stream(
            table="batches",
            decode=lambda values: _decode("batches", values),
            check=tables.check_batches,
            shape=lambda rows, block, offsets: tables.batches(rows, block.source, offsets),
        ),
        "weir.measurements": Stream(
            table="measurements",
            decode=lambda values: _decode("measurements", values),
            check=tables.check_measurements,
            shape=lambda rows, block, offsets: tables.measurements(rows, block.source, offsets),
        ),
        "weir.alerts": Stream(
            table="alerts",
            decode=lambda values: _decode("alerts", values),
            check=tables.check_alerts,
            shape=lambda rows, block, offsets: tables.alerts(rows, block.source, offsets),
        ),
        "weir.alert-notes": Stream(
            table="alert_notes",
            decode=lambda values: _decode("alert_notes", values),
            check=tables.check_alert_notes,
            shape=lambda rows, block, offsets: tables.alert_notes(rows, block.source, offsets),
        ),
        "weir.actions": Stream(
            table="actions",
            decode=lambda values: _decode("actions", values),
            check=tables.check_actions,
            shape=lambda rows, block, offsets: tables.actions(rows, block.source, offsets),
        ),
        "weir.ledger": Stream(
            table="ledger",
            decode=lambda values: _decode("ledger", values),
            check=tables.check_ledger,
            shape=lambda rows, block, offsets: tables.ledger(rows, block.source, offsets),
        ),
    }


def recorder(store: Store, max_rows: int = 10_000, names: naming.Names = records.names) -> Recorder:
    return Recorder(store, streams(names), block_max_rows=max_rows)


def counted(batches: Iterable[pa.RecordBatch]) -> dict[tuple[Any, ...], Counter[Any]]:
    """What rows of histogram_blocks say together.

    (kind, name, version, tenant, window in seconds) -> "n", "missing" and the like, bins and "word ..." -> predictions.
    """
    found: dict[tuple[Any, ...], Counter[Any]] = {}
    for line in (line for batch in batches for line in batch.to_pylist()):
        key = (*(line[name] for name in ("kind", "name", "version", "tenant")), int(line["window"].timestamp()))
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
