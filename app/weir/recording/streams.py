"""What is recorded: how the records of each topic become rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.block import Block
from weir.core.chunk import LogPartition
from weir.core.decoded import Decoded
from weir.core.topics import Names
from weir.recording import answers, baselines, histograms, naming, tables
from weir.recording.recorder import Shape, Stream

Decode = Callable[[pa.LargeBinaryArray], Decoded]
Offsets = npt.NDArray[np.int64]
OF_A_REQUEST = ("source_log", "source_partition")


def streams(topics: Names, decoder: Callable[[str], Decode], names: naming.Names) -> dict[str, Stream]:
    """What is recorded, by topic. decoder: topic -> how its values are read. names: what packed columns mean."""
    plain = (
        (topics.ledger, "ledger", tables.check_ledger, tables.ledger),
        (topics.batches, "batches", tables.check_batches, tables.batches),
        (topics.measurements, "measurements", tables.check_measurements, tables.measurements),
        (topics.alerts, "alerts", tables.check_alerts, tables.alerts),
        (topics.alert_notes, "alert_notes", tables.check_alert_notes, tables.alert_notes),
        (topics.actions, "actions", tables.check_actions, tables.actions),
    )
    return {
        topics.predictions: _predictions(decoder(topics.predictions), names),
        topics.shadows: Stream(
            table="shadows",
            decode=decoder(topics.shadows),
            check=tables.check_shadows,
            shape=lambda rows, block, offsets: tables.shadows(rows, block.source, offsets, names),
            sources=(*OF_A_REQUEST, "variant"),
        ),
        topics.bundles: Stream(
            table="bundles",
            decode=decoder(topics.bundles),
            check=tables.check_bundles,
            shape=_of_offsets(tables.bundles),
            beside={"baselines": _of_offsets(baselines.of)},
        ),
        topics.outcomes: Stream(
            table="outcomes",
            decode=decoder(topics.outcomes),
            check=tables.check_outcomes,
            shape=lambda rows, block, offsets: tables.outcomes(rows, block.source, offsets, block.received_ms),
        ),
        topics.dead_letters: Stream(
            table="dead_letters",
            decode=decoder(topics.dead_letters),
            check=tables.check_dead_letters,
            shape=_of_offsets(tables.dead_letters),
            sources=OF_A_REQUEST,
        ),
        **{
            topic: Stream(table=table, decode=decoder(topic), check=check, shape=_of_offsets(rows_of))
            for topic, table, check, rows_of in plain
        },
    }


def _predictions(decode: Decode, names: naming.Names) -> Stream:
    """Values are named, and counted, by those bundles alone that were known when the block was announced."""

    def shape(rows: pa.RecordBatch, block: Block, offsets: Offsets) -> pa.RecordBatch:
        return tables.predictions(rows, block.source, offsets, naming.AsAnnounced(names, block.unnamed))

    def counted(rows: pa.RecordBatch, block: Block, _offsets: Offsets) -> pa.RecordBatch:
        return histograms.of(rows, block.source, block.first, naming.AsAnnounced(names, block.unnamed))

    return Stream(
        table="predictions",
        decode=decode,
        check=tables.check_predictions,
        shape=shape,
        beside={"batch_answers": _of_offsets(answers.of), "histogram_blocks": counted},
        unnamed=lambda rows: naming.unnamed(rows, names),
        sources=OF_A_REQUEST,
    )


def _of_offsets(rows_of: Callable[[pa.RecordBatch, LogPartition, Offsets], pa.RecordBatch]) -> Shape:
    """The shape of rows that need only know where they stand in their log."""
    return lambda rows, block, offsets: rows_of(rows, block.source, offsets)
