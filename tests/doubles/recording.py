"""A recorder over chunks held in memory, with real Avro records, driven as an agent drives it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from weir.core.chunk import Chunk, Partition
from weir.core.decoded import Decoded
from weir.core.offset_tracker import OffsetTracker
from weir.recording import tables
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


def streams() -> dict[str, Stream]:
    return {
        "weir.predictions": Stream(
            table="predictions",
            decode=lambda values: _decode("predictions", values),
            check=tables.check_predictions,
            shape=lambda rows, log, offsets, _ms: tables.predictions(rows, log, offsets, records.names),
            sources=("source_log", "source_partition"),
        ),
        "weir.shadows": Stream(
            table="shadows",
            decode=lambda values: _decode("shadows", values),
            shape=lambda rows, log, offsets, _ms: tables.shadows(rows, log, offsets, records.names),
            sources=("source_log", "source_partition", "variant"),
        ),
        "weir.outcomes": Stream(
            table="outcomes",
            decode=lambda values: _decode("outcomes", values),
            check=tables.check_outcomes,
            shape=tables.outcomes,
        ),
        "weir.dead-letters": Stream(
            table="dead_letters",
            decode=lambda values: _decode("dead_letters", values),
            check=tables.check_dead_letters,
            shape=lambda rows, log, offsets, _ms: tables.dead_letters(rows, log, offsets),
            sources=("source_log", "source_partition"),
        ),
        "weir.batches": Stream(
            table="batches",
            decode=lambda values: _decode("batches", values),
            check=tables.check_batches,
            shape=lambda rows, log, offsets, _ms: tables.batches(rows, log, offsets),
        ),
        "weir.measurements": Stream(
            table="measurements",
            decode=lambda values: _decode("measurements", values),
            check=tables.check_measurements,
            shape=lambda rows, log, offsets, _ms: tables.measurements(rows, log, offsets),
        ),
        "weir.alerts": Stream(
            table="alerts",
            decode=lambda values: _decode("alerts", values),
            check=tables.check_alerts,
            shape=lambda rows, log, offsets, _ms: tables.alerts(rows, log, offsets),
        ),
        "weir.alert-notes": Stream(
            table="alert_notes",
            decode=lambda values: _decode("alert_notes", values),
            check=tables.check_alert_notes,
            shape=lambda rows, log, offsets, _ms: tables.alert_notes(rows, log, offsets),
        ),
        "weir.actions": Stream(
            table="actions",
            decode=lambda values: _decode("actions", values),
            check=tables.check_actions,
            shape=lambda rows, log, offsets, _ms: tables.actions(rows, log, offsets),
        ),
        "weir.ledger": Stream(
            table="ledger",
            decode=lambda values: _decode("ledger", values),
            check=tables.check_ledger,
            shape=lambda rows, log, offsets, _ms: tables.ledger(rows, log, offsets),
        ),
    }


def recorder(store: Store, max_rows: int = 10_000) -> Recorder:
    return Recorder(store, streams(), block_max_rows=max_rows)


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
