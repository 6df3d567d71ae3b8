"""The Confluent frame around an Avro body: byte 0, the schema id as 4 bytes big-endian, the body."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.arrow import buffers_of
from weir.core.rejects import Reason, Rejects, Stage

MAGIC: Final = 0
HEADER_BYTES: Final = 5


@dataclass(frozen=True, slots=True)
class Framed:
    """What the frames of n records say.

    schema_id: int32[n]; -1 where there is no frame to read. size: int64[n], bytes with the frame; -1 for None.
    good: bool[n], the records whose body can be tried. rejects: the others, each with its reason.
    """

    schema_id: npt.NDArray[np.int32]
    size: npt.NDArray[np.int64]
    good: npt.NDArray[np.bool_]
    rejects: Rejects


def header(schema_id: int) -> bytes:
    r"""The 5 bytes before a body.

    >>> header(258)
    b'\x00\x00\x00\x01\x02'
    """
    return struct.pack(">bI", MAGIC, schema_id)


def schema_id(values: pa.LargeBinaryArray) -> int | None:
    """What the first of n >= 1 records says that it was written with, signed; None when it has no frame."""
    head = values[0].as_py()[:HEADER_BYTES]
    if len(head) < HEADER_BYTES or head[0] != MAGIC:
        return None
    return int.from_bytes(head[1:], "big", signed=True)


def split(values: pa.LargeBinaryArray, max_bytes: int) -> Framed:
    """Schema ids of n records, and the records that are empty, oversized or not framed.

    values: n records, null for a tombstone. max_bytes: largest record, frame included.
    """
    count = len(values)
    offsets, octets = buffers_of(values)
    start, size = offsets[:-1], np.diff(offsets)
    if values.null_count:
        size[values.is_null().to_numpy(zero_copy_only=False)] = -1
    framed = size >= HEADER_BYTES
    schema_id = np.full(count, -1, np.int32)
    if framed.any():
        where = np.where(framed, start, start[framed][0])
        heads = octets[where[:, None] + np.arange(HEADER_BYTES)]  # uint8[n, 5]
        framed &= heads[:, 0] == MAGIC
        schema_id = np.where(framed, np.ascontiguousarray(heads[:, 1:]).view(">i4")[:, 0], -1).astype(np.int32)
    empty, oversized = size <= 0, size > max_bytes
    good = framed & ~empty & ~oversized
    return Framed(schema_id, size, good, _rejects(values, size, empty, oversized, ~good))


def _rejects(
    values: pa.LargeBinaryArray,
    size: npt.NDArray[np.int64],
    empty: npt.NDArray[np.bool_],
    oversized: npt.NDArray[np.bool_],
    bad: npt.NDArray[np.bool_],
) -> Rejects:
    record = np.flatnonzero(bad).astype(np.int32)
    reason, detail = [], []
    for i in record.tolist():  # a loop over rejects, not over records
        value = values[i].as_py()
        if empty[i]:
            reason.append(Reason.EMPTY)
            detail.append("the record has no value" if value is None else "the value has no bytes")
        elif oversized[i]:
            reason.append(Reason.OVERSIZED)
            detail.append(f"{size[i]} bytes")
        else:
            reason.append(Reason.BAD_FRAME)
            detail.append(
                f"{size[i]} bytes, a frame has {HEADER_BYTES}"
                if size[i] < HEADER_BYTES
                else f"first byte is {value[0] if value else 0}, not {MAGIC}"
            )
    return Rejects(record, (Stage.DECODE,) * len(record), tuple(reason), tuple(detail))
