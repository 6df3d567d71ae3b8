"""What scorers spent, by number: batches of one partition, and the answers that they gave."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from clickhouse_connect.driver import Client
from weir.core.chunk import LogPartition
from weir.recording import answers as counted

from tests.databases import put
from tests.doubles.records import LOG, REQUESTS

READ = LogPartition("log", "weir.predictions", 0)
UTC_MS = pa.timestamp("ms", tz="UTC")
DAY_MS = 86_400_000
FIRST_MS = 1_767_225_600_000  # 2026-01-01
COUNTERS = dict.fromkeys(("cpu_us", "idle_us", "bytes_in", "bytes_out"), pa.uint64())
COUNTERS |= dict.fromkeys(("feature_lookups", "feature_hits"), pa.uint32())


@dataclass(frozen=True, slots=True)
class Batch:
    """first, last: offsets of its partition. runs: (digest, rows, microseconds). counters: in the order of COUNTERS."""

    number: int
    first: int
    last: int
    rejected: int
    at_ms: int
    counters: tuple[int, int, int, int, int, int]
    runs: tuple[tuple[str, int, int], ...] = ()
    other_us: int = 0
    gpu_us: int | None = None
    service: str = "fraud"
    partition: int = 0

    @property
    def rows(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Answer:
    """batch: the number of the batch that it names."""

    offset: int
    batch: int
    at_ms: int
    digest: str = "d"
    version: str = "1"
    variant: str = "champion"
    tenant: str = ""
    team: str = ""
    service: str = "fraud"
    partition: int = 0


def record(client: Client, batches: Sequence[Batch], answers: Iterable[Answer]) -> None:
    """Insert them as the recorder does, an insert each."""
    if batches:
        put(client, "batches", _batches(batches))
    if told := list(answers):
        rows = _answers(told)
        put(client, "predictions", rows)
        put(client, "batch_answers", counted.of(rows, READ, np.arange(len(rows))))


def _batches(batches: Sequence[Batch]) -> pa.RecordBatch:
    n = len(batches)
    return pa.RecordBatch.from_pydict(
        {
            "batch_id": pa.array([one.number for one in batches], pa.int64()),
            "service": [one.service for one in batches],
            "worker": ["w"] * n,
            "scored_at": pa.array([one.at_ms for one in batches], pa.int64()).cast(UTC_MS),
            "rows": pa.array([one.rows for one in batches], pa.uint32()),
            "scored": pa.array([one.rows - one.rejected for one in batches], pa.uint32()),
            "rejected": pa.array([one.rejected for one in batches], pa.uint32()),
            "digests": [[digest for digest, _, _ in one.runs] for one in batches],
            "runs": pa.array(
                [[{"rows": rows, "run_us": us} for _, rows, us in one.runs] for one in batches],
                pa.list_(pa.struct({"rows": pa.int32(), "run_us": pa.int64()})),
            ),
            "decode_us": pa.array([one.other_us for one in batches], pa.uint64()),
            "gpu_us": pa.array([one.gpu_us for one in batches], pa.uint64()),
            **{
                name: pa.array([one.counters[i] for one in batches], kind)
                for i, (name, kind) in enumerate(COUNTERS.items())
            },
            "source_log": [LOG] * n,
            "source_topic": [REQUESTS] * n,
            "ranges": pa.array(
                [[{"partition": one.partition, "first": one.first, "last": one.last}] for one in batches],
                pa.list_(pa.struct({"partition": pa.int32(), "first": pa.int64(), "last": pa.int64()})),
            ),
        }
    )


def _answers(answers: Sequence[Answer]) -> pa.RecordBatch:
    n = len(answers)
    times = pa.array([one.at_ms for one in answers], pa.int64()).cast(UTC_MS)
    return pa.RecordBatch.from_pydict(
        {
            "prediction_id": [prediction_id(one) for one in answers],
            "service": [one.service for one in answers],
            "model": ["m"] * n,
            "version": [one.version for one in answers],
            "digest": [one.digest for one in answers],
            "variant": [one.variant for one in answers],
            "tenant": [one.tenant for one in answers],
            "team": [one.team for one in answers],
            "event_time": times,
            "scored_at": times,
            "source_log": [LOG] * n,
            "source_topic": [REQUESTS] * n,
            "source_partition": pa.array([one.partition for one in answers], pa.int32()),
            "source_offset": pa.array([one.offset for one in answers], pa.int64()),
            "batch_id": pa.array([one.batch for one in answers], pa.int64()),
        }
    )


def prediction_id(answer: Answer) -> str:
    """A UUIDv7 of its time, by its offset."""
    tail = struct.unpack(">q", struct.pack(">iI", answer.partition, answer.offset))[0] & ((1 << 62) - 1)
    return str(uuid.UUID(int=answer.at_ms << 80 | 7 << 76 | 2 << 62 | tail))
