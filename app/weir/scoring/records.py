"""What the scorer writes, as columns under the contracts of schemas/: predictions, dead letters, ledger entries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core import texts
from weir.core.batch import MicroBatch
from weir.core.beside import Table, Tables, values_at
from weir.core.chunk import LogPartition
from weir.core.decide import chosen, decide, words
from weir.core.ledger_entry import LedgerEntry
from weir.core.rejects import Rejects
from weir.core.runtime import Runtime
from weir.core.signature import Signature, Task
from weir.scoring import identity
from weir.scoring.assemble import event_ms
from weir.scoring.batches import Part, ScoredBatch
from weir.scoring.variant import Variant

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


def origin_of(parts: Sequence[Part]) -> npt.NDArray[np.int32]:
    """int32[n], the records that the rows of all parts came from, ascending."""
    if len(parts) == 1:
        return parts[0].rows.origin
    return np.sort(np.concatenate([np.empty(0, np.int32), *(part.rows.origin for part in parts)]))


def predictions(scored: ScoredBatch, batch_id: int, scored_at_ms: int) -> Columns:
    """The n scored rows of a batch under predictions/v1.avsc, in its record order.

    Each row names the version that answered it and holds that version's decision.
    What may differ between rows but does not in this batch, such as its partition, is among the constants.
    """
    parts = [part for part in scored.parts if len(part.rows)]
    constants: dict[str, object] = {"scored_at": scored_at_ms, "batch_id": batch_id}
    if len({chunk.place for chunk in scored.batch.chunks}) == 1:
        log, topic, partition = scored.batch.chunks[0].place
        constants |= {"source_log": log, "source_topic": topic, "source_partition": partition}
    if len(parts) == 1:
        return _answers(scored.batch, parts[0]), constants | _shared(parts[0])
    batches = [_named(_answers(scored.batch, part), _shared(part)) for part in parts]
    order = np.argsort(np.concatenate([part.rows.origin for part in parts]))
    together = pa.concat_batches([batch.select(batches[0].schema.names) for batch in batches])
    return together.take(pa.array(order)), constants


def _shared(part: Part) -> dict[str, object]:
    """What the answers of one variant have in common."""
    variant, bundle = part.variant, part.variant.bundle
    absent = {
        "outputs": not bundle.signature.outputs,
        "texts": not bundle.signature.texts,
        "doubles": not bundle.signature.doubles,
        "longs": not bundle.signature.longs,
        "defaulted": not part.rows.defaulted.any(),
    }
    return {name: b"" for name, is_absent in absent.items() if is_absent} | {
        "service": bundle.service,
        "model": bundle.name,
        "version": bundle.version,
        "digest": bundle.short_digest,
        "variant": variant.name,
        "learner_state": part.state,
    }


def _answers(batch: MicroBatch, part: Part) -> pa.RecordBatch:
    """What differs between the answers of one variant: n rows, those of the part."""
    rows, signature = part.rows, part.variant.bundle.signature
    where, places = origins(batch, rows.origin), [chunk.place for chunk in batch.chunks]
    decided = decide(signature, rows.outputs)
    column = {
        "prediction_id": identity.text(_ids(places, where, event_ms(rows.columns))),
        "score": pa.array(decided.score, pa.float32()),
        "decision": words(signature, decided.index),
        "source_offset": pa.array(where.offset),
        "contract_id": pa.array(rows.contract_id),
        "features": packed(recorded(rows.matrix, rows.tables, signature)),
        "feature_age_s": packed(rows.age_s),
        "feature_status": packed(rows.status),
    }
    if signature.outputs:
        column["outputs"] = packed(rows.outputs)
    if rows.defaulted.any():
        column["defaulted"] = _bitmaps(rows.defaulted)
    for name, columns in (("doubles", signature.doubles), ("longs", signature.longs)):
        if columns:
            column[name] = packed(exact(rows.matrix, dict(zip(signature.beside, rows.tables, strict=True)), columns))
    if signature.texts:
        column["texts"] = texts.packed([rows.columns.column(item.ref) for item in signature.texts])
    if len(set(places)) > 1:
        column["source_log"] = chosen(tuple(place.log for place in places), where.chunk)
        column["source_topic"] = chosen(tuple(place.topic for place in places), where.chunk)
        column["source_partition"] = pa.array(np.array([at.partition for at in places], np.int32)[where.chunk])
    for name in ("request_id", "event_time", "tenant", "team", "traceparent"):
        column[name] = rows.columns.column(name)
    return pa.RecordBatch.from_pydict(column)


def _named(rows: pa.RecordBatch, shared: dict[str, object]) -> pa.RecordBatch:
    """The rows with a column more for each value that they share."""
    columns = {name: rows.column(name) for name in rows.schema.names}
    columns |= {name: pa.repeat(pa.scalar(value), rows.num_rows) for name, value in shared.items()}
    return pa.RecordBatch.from_pydict(columns)


def _ids(places: Sequence[LogPartition], where: Origins, times: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """uint8[n, 16], see identity.prediction_ids."""
    seeds = np.array([identity.seed(place) for place in places], np.uint64)
    return identity.ids(seeds[:1] if len(set(places)) == 1 else seeds[where.chunk], where.offset, times)


def dead_letters(batch: MicroBatch, rejects: Rejects, service: str, rejected_at_ms: int) -> Columns:
    """r rejected records under dead_letters/v1.avsc, with their original bytes."""
    where = origins(batch, rejects.record)
    chunks = [batch.chunks[index] for index in where.chunk]
    column = {
        "source_log": pa.array([chunk.log for chunk in chunks], pa.string()),
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


def entries(batch: MicroBatch, rejects: Rejects) -> tuple[LedgerEntry, ...]:
    """What became of each chunk, in their order."""
    at = np.searchsorted(rejects.record, batch.bounds)
    return tuple(
        entry
        for i, chunk in enumerate(batch.chunks)
        for entry in LedgerEntry.of(chunk, rejects.record[at[i] : at[i + 1]] - batch.bounds[i])
    )


def ledger(
    entries: Sequence[LedgerEntry], role: str, service: str, digest: str, worker: str, *, recorded_at_ms: int
) -> Columns:
    """n entries under ledger/v1.avsc: what was read, and that each record was scored or rejected."""
    column = {
        "source_log": pa.array([one.source.log for one in entries], pa.string()),
        "source_topic": pa.array([one.source.topic for one in entries], pa.string()),
        "source_partition": pa.array([one.source.partition for one in entries], pa.int32()),
        "first": pa.array([one.first for one in entries], pa.int64()),
        "last": pa.array([one.last for one in entries], pa.int64()),
        "read": pa.array([one.read for one in entries], pa.int32()),
        "scored": pa.array([one.read - one.rejected for one in entries], pa.int32()),
        "rejected": pa.array([one.rejected for one in entries], pa.int32()),
        "holes": pa.array([np.array(one.holes, "<i8").tobytes() if one.holes else b"" for one in entries], pa.binary()),
    }
    constants = {"role": role, "service": service, "digest": digest, "worker": worker, "recorded_at": recorded_at_ms}
    return pa.RecordBatch.from_pydict(column), constants


def bundle_names(variants: Sequence[Variant], runtime: Runtime, role: str, worker: str, written_at_ms: int) -> Columns:
    """What the packed columns of each variant's predictions mean and what scores them, under bundles/v1.avsc."""
    bundles = [variant.bundle for variant in variants]
    signatures = [bundle.signature for bundle in bundles]
    plans = [variant.lookup.plan.views if variant.lookup else () for variant in variants]
    column = {
        "digest": [bundle.short_digest for bundle in bundles],
        "sha256": [bundle.digest for bundle in bundles],
        "service": [bundle.service for bundle in bundles],
        "model": [bundle.name for bundle in bundles],
        "version": [bundle.version for bundle in bundles],
        "inputs": [json.dumps(signature.names) for signature in signatures],
        "views": [json.dumps([view.name for view in views]) for views in plans],
        "ttl_s": [json.dumps([view.ttl_s for view in views]) for views in plans],
        "task": [str(signature.task) for signature in signatures],
        "classes": [json.dumps(signature.labels) for signature in signatures],
        "outputs": [json.dumps(signature.outputs) for signature in signatures],
        "texts": [json.dumps([item.name for item in signature.texts]) for signature in signatures],
        "categories": [
            json.dumps({item.name: item.categories for item in signature.inputs if item.categories})
            for signature in signatures
        ],
        "doubles": [json.dumps([signature.names[at] for at in signature.doubles]) for signature in signatures],
        "longs": [json.dumps([signature.names[at] for at in signature.longs]) for signature in signatures],
        "decisions": [json.dumps([word for word in signature.decisions if word]) for signature in signatures],
        "cuts": [json.dumps(signature.cuts) for signature in signatures],
        "threshold": pa.array([_threshold(signature) for signature in signatures], pa.float64()),
        "feature_fingerprint": [bundle.feature_fingerprint for bundle in bundles],
        "reference": [variant.reference for variant in variants],
    }
    same: dict[str, object] = {"runtime_id": runtime.id, "runtime": runtime.text, "role": role, "worker": worker}
    return pa.RecordBatch.from_pydict(column), same | {"written_at": written_at_ms}


def _threshold(signature: Signature) -> float | None:
    """Of a model that decides between two classes by one."""
    return signature.cuts[0] if signature.task is Task.BINARY and not signature.bands else None


def packed(matrix: npt.NDArray[np.generic]) -> pa.Array:
    """Each row's little-endian bytes as one binary value, without copying row by row."""
    n = len(matrix)
    raw = np.ascontiguousarray(matrix)
    width = raw.itemsize * (raw.shape[1] if raw.ndim > 1 else 1)
    offsets = np.arange(n + 1, dtype=np.int32) * np.int32(width)
    return pa.BinaryArray.from_buffers(pa.binary(), n, [None, pa.py_buffer(offsets), pa.py_buffer(raw)])


def _bitmaps(marks: npt.NDArray[np.bool_]) -> pa.Array:
    """The bits of each row, the lowest first, as bytes; none for a row in which no bit is set. marks: bool[n, k]."""
    any_set = marks.any(axis=1)
    bits = np.packbits(marks[any_set], axis=1, bitorder="little")
    ends = np.concatenate([[0], np.cumsum(any_set) * bits.shape[1]]).astype(np.int32)
    return pa.BinaryArray.from_buffers(pa.binary(), len(marks), [None, pa.py_buffer(ends), pa.py_buffer(bits)])


def recorded(matrix: npt.NDArray[np.float32], tables: Sequence[Table], signature: Signature) -> npt.NDArray[np.float32]:
    """The matrix as it is recorded: of a number beside it the nearest float32, of a text 0; NaN where nothing was."""
    if not tables:
        return matrix
    kept = matrix.copy()
    for column, table in zip(signature.beside, tables, strict=True):
        values = np.zeros(len(matrix)) if column in signature.strings else values_at(matrix[:, column], table)
        kept[:, column] = np.where(np.isnan(matrix[:, column]), np.nan, values)
    return kept


def exact(matrix: npt.NDArray[np.float32], tables: Tables, columns: Sequence[int]) -> npt.NDArray[np.generic]:
    """The numbers of these columns as they stand beside the matrix: float64[n, c] or int64[n, c]."""
    return np.stack([values_at(matrix[:, column], tables[column]) for column in columns], axis=1)
