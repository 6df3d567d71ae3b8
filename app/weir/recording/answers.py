"""Answers counted: how many of each kind every batch gave, which is how what it spent is shared out."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.chunk import LogPartition
from weir.recording.tables import with_log

BATCH: Final = ("service", "scored_at", "batch_id")
KIND: Final = ("variant", "model", "version", "digest", "tenant", "team")


def of(rows: pa.RecordBatch, log: LogPartition, offsets: npt.NDArray[np.int64]) -> pa.RecordBatch:
    """Rows of table batch_answers from n rows of contract predictions that passed `tables.check_predictions`.

    offsets: int64[n], where in `log` they were read. One row a batch and kind; its log_offset is that of the first of
    its answers, so that no other row has it.
    """
    keys = [*BATCH, *KIND]
    read = pa.table({**{name: rows[name] for name in keys}, "at": pa.array(offsets)})
    found = read.group_by(keys, use_threads=False).aggregate([("at", "min"), ("at", "count")]).combine_chunks()
    columns = {name: found[name].combine_chunks() for name in keys}
    columns["answers"] = found["at_count"].combine_chunks().cast(pa.uint64())
    firsts = found["at_min"].to_numpy()
    return with_log(columns, log, firsts, times=("scored_at",))
