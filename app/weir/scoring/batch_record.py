"""What is recorded of a micro-batch as a whole: what it held, how long its stages took, what its worker spent."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from weir.core.arrow import buffers_of
from weir.core.batch import MODEL_RUN, MicroBatch
from weir.core.chunk import CHUNK_RANGE
from weir.scoring.batches import EncodedBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """What is the same in all records of one scorer.

    provider: execution provider of ONNX Runtime. on_gpu: whether that is a GPU, so that running the model holds it.
    runtime_id: see core.runtime. worker: "host:process".
    """

    service: str
    worker: str
    provider: str
    runtime_id: str
    on_gpu: bool


def values(encoded: EncodedBatch, of: Worker) -> dict[str, object]:
    """The fields of batches/v1.avsc: one record, as Python values. A delivery has few, and their fields are many."""
    batch, stats, timing, spent = encoded.batch, encoded.stats, encoded.stats.timing, encoded.spent
    last = batch.chunks[-1]
    return {
        "batch_id": spent.batch_id,
        "number": spent.number,
        "service": of.service,
        "digests": json.dumps([run.digest for run in encoded.runs]),
        "runs": np.array([(run.rows, _us(run.run_s)) for run in encoded.runs], MODEL_RUN).tobytes(),
        "provider": of.provider,
        "runtime_id": of.runtime_id,
        "worker": of.worker,
        "scored_at": encoded.scored_at_ms,
        "oldest_at": batch.oldest_ms,
        "closed_by": batch.closed_by.value,
        "rows": len(batch),
        "scored": stats.scored,
        "rejected": len(stats.rejects),
        "bytes_in": _octets(chunk.values for chunk in batch.chunks),
        "bytes_out": _octets(each for one in encoded.written for each in (one.predictions, one.dead_letters)),
        "feature_lookups": stats.cache_lookups,
        "feature_hits": stats.cache_hits,
        "wait_us": _us(timing.wait_s),
        "decode_us": _us(timing.decode_s),
        "lookup_us": _us(timing.lookup_s),
        "assemble_us": _us(timing.assemble_s),
        "run_us": _us(timing.run_s),
        "encode_us": _us(timing.encode_s),
        "gpu_us": _us(timing.run_s) if of.on_gpu else None,
        "cpu_us": _us(spent.cpu_s),
        "produce_us": _us(spent.produce_s),
        "idle_us": _us(spent.idle_s),
        "contract_ids": np.array(encoded.contract_ids, "<i4").tobytes(),
        "source_log": last.log,
        "source_topic": last.source.topic,
        "ranges": _ranges(batch),
    }


def _ranges(batch: MicroBatch) -> bytes:
    """The offsets that it covers. Its chunks are of one log: those of an earlier assignment are in no batch."""
    found = [(chunk.source.partition, chunk.first, chunk.last) for chunk in batch.chunks]
    return np.array(found, CHUNK_RANGE).tobytes()


def _octets(arrays: Iterable[pa.Array]) -> int:
    total = 0
    for values in arrays:
        offsets, _ = buffers_of(values)
        total += int(offsets[-1] - offsets[0])
    return total


def _us(seconds: float) -> int:
    return round(seconds * 1e6)
