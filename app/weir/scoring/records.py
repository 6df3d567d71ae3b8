"""What the scorer writes, as columns under the contracts of schemas/: predictions, dead letters, ledger entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.account import Account
from weir.core.batch import MicroBatch
from weir.core.bundle import Bundle
from weir.core.chunk import Partition
from weir.core.rejects import Rejects
from weir.scoring import identity
from weir.scoring.assemble import event_ms

# Columns of n values, and by name what is the same in all rows.
Columns = tuple[pa.RecordBatch, dict[str, object]]


@dataclass(frozen=True, slots=True)
class Origins:
    """Where each of n rows came from. chunk: int64[n], index into the batch's chunks; offset: int64[n]."""

    chunk: npt.NDArray[np.int64]
    offset: npt.NDArray[np.int64]


def origins(batch: MicroBatch, records: npt.NDArray[np.int32]) -> Origins:
    """Chunk and offset of records of a batch."""
    offsets = np.concatenate([chunk.offsets for chunk in batch.chunks])
    return Origins(np.searchsorted(batch.bounds, records, side="right") - 1, offsets[records])


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of one micro-batch by stage."""

    wait_s: float = 0.0
    decode_s: float = 0.0
    lookup_s: float = 0.0
    assemble_s: float = 0.0
    run_s: float = 0.0

    @property
    def busy_s(self) -> float:
        """All of it but the waiting."""
        return self.decode_s + self.lookup_s + self.assemble_s + self.run_s


def predictions(
    rows: pa.RecordBatch,
    batch: MicroBatch,
    where: Origins,
    bundle: Bundle,
    variants: Sequence[str],
    variant: npt.NDArray[np.int8],
    scores: npt.NDArray[np.float32],
    matrix: npt.NDArray[np.float32],
    age_s: npt.NDArray[np.int32],
    status: npt.NDArray[np.uint8],
    timing: Timing,
    scored_at_ms: int,
) -> Columns:
    """n scored rows under predictions/v1.avsc, in the batch's record order.

    What may differ between rows but does not in this batch, such as its partition, is among the constants.
    """
    times = event_ms(rows)
    sources = [chunk.source for chunk in batch.chunks]
    constants: dict[str, object] = {
        "service": bundle.service,
        "model": bundle.name,
        "version": bundle.version,
        "digest": bundle.short_digest,
        "scored_at": scored_at_ms,
        "wait_us": _microseconds(timing.wait_s),
        "decode_us": _microseconds(timing.decode_s),
        "lookup_us": _microseconds(timing.lookup_s),
        "run_us": _microseconds(timing.run_s),
        "batch_rows": len(batch),
        "batch_closed_by": batch.closed_by.value,
    }
    column = {
        "prediction_id": identity.text(_ids(sources, where, variants, variant, times)),
        "score": pa.array(scores, pa.float32()),
        "decision": _decisions(scores >= np.float32(bundle.signature.threshold)),
        "source_offset": pa.array(where.offset),
        "features": _packed(matrix),
        "feature_age_s": _packed(age_s),
        "feature_status": _packed(status),
    }
    if len(set(sources)) == 1:
        constants |= {"source_topic": sources[0].topic, "source_partition": sources[0].partition}
    else:
        column["source_topic"] = _chosen([source.topic for source in sources], where.chunk)
        column["source_partition"] = pa.array(np.array([part for _, part in sources], np.int32)[where.chunk])
    if len(variants) == 1:
        constants["variant"] = variants[0]
    else:
        column["variant"] = identity.names_of(variants, variant)
    for name in ("request_id", "event_time", "tenant", "team", "traceparent"):
        column[name] = rows.column(rows.schema.get_field_index(name))
    return pa.RecordBatch.from_pydict(column), constants


def _ids(
    sources: Sequence[Partition],
    where: Origins,
    variants: Sequence[str],
    variant: npt.NDArray[np.int8],
    times: npt.NDArray[np.int64],
) -> npt.NDArray[np.uint8]:
    """uint8[n, 16], see identity.prediction_ids."""
    seeds = np.array([[identity.seed(source, name) for name in variants] for source in sources], np.uint64)
    if len(set(sources)) == len(variants) == 1:
        return identity.ids(seeds[0], where.offset, times)
    return identity.ids(seeds[where.chunk, variant], where.offset, times)


def dead_letters(batch: MicroBatch, rejects: Rejects, service: str, rejected_at_ms: int) -> Columns:
    """r rejected records under dead_letters/v1.avsc, with their original bytes."""
    where = origins(batch, rejects.record)
    chunks = [batch.chunks[index] for index in where.chunk]
    column = {
        "source_topic": pa.array([chunk.source.topic for chunk in chunks], pa.string()),
        "source_partition": pa.array([chunk.source.partition for chunk in chunks], pa.int32()),
        "source_offset": pa.array(where.offset, pa.int64()),
        "stage": pa.array([stage.value for stage in rejects.stage], pa.string()),
        "reason": pa.array([reason.value for reason in rejects.reason], pa.string()),
        "detail": pa.array(rejects.detail, pa.string()),
        "key": pa.concat_arrays([chunk.keys for chunk in batch.chunks]).take(rejects.record).cast(pa.binary()),
        "value": batch.values.take(rejects.record).cast(pa.binary()),
    }
    return pa.RecordBatch.from_pydict(column), {"service": service, "rejected_at": rejected_at_ms}


def accounts(batch: MicroBatch, rejects: Rejects) -> tuple[Account, ...]:
    """What became of each chunk."""
    c = len(batch.chunks)
    rejected = np.histogram(rejects.record, batch.bounds)[0].tolist() if len(rejects) else [0] * c
    return tuple(
        Account(chunk.source, chunk.first, chunk.last, len(chunk), turned_away)
        for chunk, turned_away in zip(batch.chunks, rejected, strict=True)
    )


def ledger(
    accounts: Sequence[Account], role: str, service: str, digest: str, worker: str, recorded_at_ms: int
) -> Columns:
    """One entry an account under ledger/v1.avsc: what was read, and that each record was scored or rejected."""
    column = {
        "source_topic": pa.array([one.source.topic for one in accounts]),
        "source_partition": pa.array([one.source.partition for one in accounts], pa.int32()),
        "first": pa.array([one.first for one in accounts], pa.int64()),
        "last": pa.array([one.last for one in accounts], pa.int64()),
        "read": pa.array([one.read for one in accounts], pa.int32()),
        "scored": pa.array([one.read - one.rejected for one in accounts], pa.int32()),
        "rejected": pa.array([one.rejected for one in accounts], pa.int32()),
    }
    constants = {"role": role, "service": service, "digest": digest, "worker": worker, "recorded_at": recorded_at_ms}
    return pa.RecordBatch.from_pydict(column), constants


def _constant(value: str | int, n: int, dtype: pa.DataType | None = None) -> pa.Array:
    return pa.repeat(pa.scalar(value, dtype or pa.string()), n)


def _microseconds(seconds: float) -> int:
    return min(int(seconds * 1e6), 2**31 - 1)


def _chosen(names: list[str], index: npt.NDArray[np.int64]) -> pa.Array:
    if len(set(names)) == 1:
        return _constant(names[0], len(index))
    return pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int32)), pa.array(names)).cast(pa.string())


def _decisions(positive: npt.NDArray[np.bool_]) -> pa.Array:
    return _chosen(["negative", "positive"], positive.astype(np.int64))


def _packed(matrix: npt.NDArray[np.generic]) -> pa.Array:
    """Each row's little-endian bytes as one binary value, without copying row by row."""
    n = len(matrix)
    raw = np.ascontiguousarray(matrix)
    width = raw.itemsize * (raw.shape[1] if raw.ndim > 1 else 1)
    offsets = np.arange(n + 1, dtype=np.int32) * np.int32(width)
    return pa.BinaryArray.from_buffers(pa.binary(), n, [None, pa.py_buffer(offsets), pa.py_buffer(raw)])
