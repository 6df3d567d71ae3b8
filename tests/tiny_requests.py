"""Requests to the service of tests.bundles: columns, framed records, and what each kind of bad record looks like."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
from weir.core.contract import Contract
from weir.core.rejects import Reason, Stage
from weir.core.signature import Signature
from weir.core.topics import Names, subject_of
from weir.edges.schemas.folder import GENERIC
from weir.wire import request_contract
from weir.wire.encode import Encoder

from tests.bundles import SERVICE, SIGNATURE

AT_MS = 1_372_636_800_000
LONG_PAST_MS = 86_400_000  # in 1970: also by a scorer's clock that is wrong by half a century
CHANNELS = SIGNATURE.inputs[-1].categories
MS = pa.timestamp("ms", "UTC")


def requests_contract(schema_id: int = 7, signature: Signature = SIGNATURE) -> Contract:
    """The contract of the tiny service, under an id of the caller's choice."""
    return Contract(
        subject_of(Names("weir").requests(SERVICE)), 1, request_contract.build(SERVICE, signature), schema_id
    )


@cache
def written_contract(record: str, schema_id: int) -> Contract:
    """A contract that every project has, as the registry would give it."""
    return Contract(f"weir.{record}-value", 1, (GENERIC / record / "v1.avsc").read_text(), schema_id)


def rows(n: int, *, first: int = 0, at_ms: int = AT_MS) -> pa.RecordBatch:
    """n requests that differ; request i is called "request-<first + i>"."""
    i = np.arange(first, first + n)
    return pa.RecordBatch.from_pydict(
        {
            "request_id": pa.array([f"request-{number}" for number in i]),
            "event_time": pa.array(at_ms + i, pa.int64()).cast(MS),
            "tenant": pa.array([f"tenant-{number % 3}" for number in i]),
            "team": pa.array(["risk"] * n),
            "traceparent": pa.array([f"00-{number:032x}-{number:016x}-01" if number % 2 else None for number in i + 1]),
            "deadline": pa.nulls(n, MS),
            "customer": pa.array([f"customer-{number % 17}" for number in i]),
            "shop": pa.array([int(number % 5) if number % 4 else None for number in i], pa.int64()),
            "amount": pa.array((i * 7919 % 100_000 / 100).astype(np.float32)),
            "items": pa.array(i % 100),
            "gift": pa.array([None if number % 10 == 3 else bool(number % 2) for number in i]),
            "channel": pa.array([CHANNELS[number % 3] for number in i]),
        }
    )


def changed(batch: pa.RecordBatch, **values: object) -> pa.RecordBatch:
    """The same rows with whole columns set to one value."""
    columns = {name: batch.column(name) for name in batch.schema.names}
    for name, value in values.items():
        columns[name] = pa.array([value] * batch.num_rows, batch.schema.field(name).type)
    return pa.RecordBatch.from_pydict(columns)


def matrix(batch: pa.RecordBatch) -> np.ndarray:
    """What the model gets for good rows, made value by value: float32[n, 4]."""
    return np.array(
        [
            [row["amount"], row["items"], float(row["gift"] or 0), CHANNELS.index(row["channel"])]
            for row in batch.to_pylist()
        ],
        np.float32,
    ).reshape(-1, 4)


@dataclass(frozen=True)
class Bad:
    """A record that must not be scored, and why it is not."""

    value: bytes | None
    stage: Stage
    reason: Reason


def one_of_each(encoder: Encoder, max_bytes: int) -> list[Bad]:
    """The eight kinds of bad record that the service must name."""
    good = rows(1, first=900_000)

    def written(**values: object) -> bytes:
        return encoder.encode(changed(good, **values))[0]

    whole = written()
    return [
        Bad(whole[:-3], Stage.DECODE, Reason.UNDECODABLE),
        Bad(whole[:1] + (999_999_999).to_bytes(4, "big") + whole[5:], Stage.DECODE, Reason.UNKNOWN_SCHEMA),
        Bad(b"", Stage.DECODE, Reason.EMPTY),
        Bad(written(tenant="x" * max_bytes), Stage.DECODE, Reason.OVERSIZED),
        Bad(written(amount=float("nan")), Stage.VALIDATE, Reason.NOT_A_NUMBER),
        Bad(written(amount=5000.0), Stage.VALIDATE, Reason.OUT_OF_RANGE),
        Bad(written(channel=None), Stage.VALIDATE, Reason.MISSING),
        Bad(written(deadline=LONG_PAST_MS), Stage.VALIDATE, Reason.PAST_DEADLINE),
    ]
