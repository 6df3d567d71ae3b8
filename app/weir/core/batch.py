"""Chunks of several partitions, merged into one micro-batch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.chunk import Chunk

# What each bundle did in a batch, in a packed column.
MODEL_RUN: Final = np.dtype([("rows", "<i4"), ("run_us", "<i8")])


class ClosedBy(StrEnum):
    """Why a micro-batch was closed."""

    ROWS = "rows"  # it held batch_max_rows, or the next chunk would not have fitted
    ENOUGH = "enough"  # it held what is worth a batch's fixed cost at the rate at which requests came
    DEADLINE = "deadline"  # a longer wait would have made its oldest request later than it may be
    WAIT = "wait"  # batch_max_wait_ms had passed since its first chunk came


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Chunks in the order in which they came, as one list of n records.

    wait_s: from the oldest chunk's fetch to the closing of the batch.
    """

    chunks: tuple[Chunk, ...]
    closed_by: ClosedBy
    wait_s: float

    @property
    def values(self) -> pa.LargeBinaryArray:
        """All record values; record i belongs to the chunk c with bounds[c] <= i < bounds[c + 1]."""
        if len(self.chunks) == 1:
            return self.chunks[0].values
        return pa.concat_arrays([chunk.values for chunk in self.chunks])

    @property
    def bounds(self) -> npt.NDArray[np.int64]:
        """int64[chunks + 1], ends of the chunks in the list of records, beginning with 0."""
        return np.concatenate([[0], np.cumsum([len(chunk) for chunk in self.chunks])])

    @property
    def oldest_ms(self) -> int:
        """Broker time of the oldest record, milliseconds since the epoch."""
        return min(chunk.oldest_ms for chunk in self.chunks)

    def __len__(self) -> int:
        return sum(len(chunk) for chunk in self.chunks)
