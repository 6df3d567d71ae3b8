"""Records of the generic topics, made by number: the same arguments give the same records."""

from __future__ import annotations

import json
import struct
import uuid
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from itertools import pairwise

import numpy as np
import pyarrow as pa
from weir.core import reference as references
from weir.core.bundle_names import BundleNames
from weir.core.chunk import Chunk, LogPartition, Partition
from weir.core.contract import Contract
from weir.core.grid import UNIT, Grid
from weir.core.reference import Numbers, Reference, Words
from weir.edges.schemas.folder import GENERIC
from weir.wire.decode import Decoder
from weir.wire.encode import Encoder

from tests import examples

MS = pa.timestamp("ms", tz="UTC")
AMOUNTS = pa.map_(pa.string(), pa.float64())
DIGEST = "0123456789ab"
INPUTS = ("distance", "hour", "origin_recent__depdelay_1h", "plane_age")
VIEWS = ("origin_recent", "plane_recent")
SERVICE = "flight-delay"
REQUESTS = f"weir.requests.{SERVICE}"
LOG = "log-of-requests"  # the log that the requests are in
STAGES = ("wait", "decode", "lookup", "assemble", "run", "encode", "cpu", "produce", "idle")
BASE_MS = 1_372_680_000_000  # 2013-07-01 12:00


class Known:
    """Names of the one bundle that there is. lacking: rows that were recorded without, by digest."""

    def __init__(self) -> None:
        self.lacking: Counter[str] = Counter()

    def of(self, digests: Sequence[str]) -> Mapping[str, BundleNames]:
        return {digest: _said() for digest in digests if digest == DIGEST}

    def lack(self, rows: Mapping[str, int]) -> None:
        self.lacking += Counter(rows)


names = Known()


@cache
def _said() -> BundleNames:
    return BundleNames(DIGEST, INPUTS, VIEWS, reference=reference(INPUTS))


def contract(record: str, schema_id: int = 7) -> Contract:
    text = (GENERIC / record / "v1.avsc").read_text()
    return Contract(f"weir.{record}-value", 1, text, schema_id)


def prediction_id(partition: int, offset: int, log: str = LOG) -> str:
    """A UUIDv7 of the time BASE_MS + offset seconds."""
    tail = uuid.uuid5(uuid.NAMESPACE_OID, f"{log}/{partition}/{offset}").int & ((1 << 62) - 1)
    return str(uuid.UUID(int=(BASE_MS + 1000 * offset) << 80 | 7 << 76 | (offset & 0xFFF) << 64 | 2 << 62 | tail))


def predictions(
    partition: int,
    offsets: list[int],
    variant: str = "champion",
    inputs: int = len(INPUTS),
    views: int = len(VIEWS),
    digest: str = DIGEST,
    log: str = LOG,
    outputs: int = 0,
    texts: int = 0,
    exact: int = 0,
) -> pa.RecordBatch:
    """One row an offset; score, features, ages, outputs and texts are functions of the offset.

    exact: how many doubles, and how many longs, a row has.
    """
    n = len(offsets)
    at = np.array(offsets, np.int64)
    features = (at[:, None] + np.arange(inputs)).astype("<f4")
    features[at % 5 == 0, -1] = np.nan
    age = np.where(at[:, None] % 3 == 0, -1, 60 + np.zeros((1, views), np.int64)).astype("<i4")
    status = np.where(age == -1, 3, 1).astype("u1")
    constant = {
        "service": SERVICE,
        "model": "flights",
        "version": "1",
        "digest": digest,
        "variant": variant,
        "tenant": "t",
        "team": "",
        "source_log": log,
        "source_topic": REQUESTS,
        "learner_state": "",
    }
    return pa.RecordBatch.from_pydict(
        {
            "prediction_id": [prediction_id(partition, offset, log) for offset in offsets],
            "request_id": [f"r{partition}-{offset}" for offset in offsets],
            **{name: pa.repeat(value, n) for name, value in constant.items()},
            "score": pa.array(((at * 7919) % 997 / 997).astype(np.float32)),
            "decision": ["positive" if (offset * 7919) % 997 >= 500 else "negative" for offset in offsets],
            "event_time": pa.array(BASE_MS + 1000 * at).cast(MS),
            "scored_at": pa.array(BASE_MS + 1000 * at).cast(MS),
            "source_partition": pa.array(np.full(n, partition, np.int32)),
            "source_offset": pa.array(at),
            "traceparent": pa.nulls(n, pa.string()),
            "features": pa.array([row.tobytes() for row in features], pa.binary()),
            "feature_age_s": pa.array([row.tobytes() for row in age], pa.binary()),
            "feature_status": pa.array([row.tobytes() for row in status], pa.binary()),
            "outputs": pa.array([row.tobytes() for row in shares_of(at, outputs)], pa.binary()),
            "texts": pa.array([packed_texts(words_of(offset, texts)) for offset in offsets], pa.binary()),
            "doubles": pa.array([row.tobytes() for row in doubles_of(at, exact)], pa.binary()),
            "longs": pa.array([row.tobytes() for row in longs_of(at, exact)], pa.binary()),
            "defaulted": pa.array([b"\x05" if offset % 7 == 0 else b"" for offset in offsets], pa.binary()),
            "contract_id": pa.repeat(pa.scalar(7, pa.int32()), n),
            "batch_id": pa.array(1000 * partition + at // 10),
        }
    )


def batches(partition: int, spans: list[tuple[int, int]], log: str = LOG) -> pa.RecordBatch:
    """A batch a span, of one partition each; what it took is a function of its rows."""
    rows = [last - first + 1 for first, last in spans]
    counts = ("rows", "scored", "bytes_in", "bytes_out", *(f"{stage}_us" for stage in STAGES))
    nothing = {"rejected": pa.int32(), "feature_lookups": pa.int32(), "feature_hits": pa.int32()}
    same = {"service": SERVICE, "digests": json.dumps([DIGEST]), "provider": "CPUExecutionProvider", "worker": "w"}
    same["runtime_id"] = "0a1b2c3d4e5f"
    said = same | {"closed_by": "rows", "source_log": log, "source_topic": REQUESTS}
    return pa.RecordBatch.from_pydict(
        {
            "batch_id": pa.array([1000 * partition + first // 10 for first, _ in spans], pa.int64()),
            "number": pa.array(range(1, len(spans) + 1), pa.int64()),
            **{name: [text] * len(spans) for name, text in said.items()},
            "scored_at": pa.array([BASE_MS + 1000 * last for _, last in spans], pa.int64()).cast(MS),
            "oldest_at": pa.array([BASE_MS + 1000 * first for first, _ in spans], pa.int64()).cast(MS),
            **{name: pa.array(rows, pa.int32() if name in ("rows", "scored") else pa.int64()) for name in counts},
            **{name: pa.array([0] * len(spans), kind) for name, kind in nothing.items()},
            "gpu_us": pa.nulls(len(spans), pa.int64()),
            "contract_ids": [np.array([7], "<i4").tobytes()] * len(spans),
            "runs": [struct.pack("<iq", count, count) for count in rows],
            "ranges": [struct.pack("<iqq", partition, *span) for span in spans],
        }
    )


def shares_of(at: np.ndarray, outputs: int) -> np.ndarray:
    """Outputs of the predictions at these offsets: float32[n, outputs]."""
    return ((at[:, None] + np.arange(outputs)) % 7 / 7).astype("<f4")


def doubles_of(at: np.ndarray, exact: int) -> np.ndarray:
    """Doubles of the predictions at these offsets: float64[n, exact]."""
    return (at[:, None] + np.arange(exact) + 0.1234567890123).astype("<f8")


def longs_of(at: np.ndarray, exact: int) -> np.ndarray:
    """Longs of the predictions at these offsets: int64[n, exact]."""
    return (2**60 + at[:, None] + np.arange(exact)).astype("<i8")


def words_of(offset: int, texts: int) -> list[str | None]:
    """Texts of the prediction at an offset, some of them null, empty, or of several bytes a character."""
    return [(None, "", "Zürich ✈", f"word {offset}")[(offset + i) % 4] for i in range(texts)]


def packed_texts(words: Sequence[str | None]) -> bytes:
    """As the contract has them."""
    octets = [None if word is None else word.encode() for word in words]
    sizes = [-1 if octet is None else len(octet) for octet in octets]
    return np.array(sizes, "<i4").tobytes() + b"".join(octet or b"" for octet in octets)


def bundles(
    digest: str = DIGEST,
    inputs: Sequence[str] = INPUTS,
    views: Sequence[str] = VIEWS,
    outputs: Sequence[str] = (),
    texts: Sequence[str] = (),
    categories: Mapping[str, Sequence[str]] | None = None,
    doubles: Sequence[str] = (),
    longs: Sequence[str] = (),
) -> pa.RecordBatch:
    """What a scorer says of one bundle when it starts."""
    classes = outputs or ("negative", "positive")
    listed = {"inputs": inputs, "views": views, "outputs": outputs, "texts": texts}
    listed |= {"doubles": doubles, "longs": longs}
    spoken = {*texts, *(categories or {})}
    normal = reference([name for name in (*inputs, *doubles, *longs) if name not in spoken], sorted(spoken), outputs)
    listed |= {"classes": classes, "decisions": classes, "cuts": () if outputs else (0.5,)}
    names = {name: json.dumps(list(values)) for name, values in listed.items()}
    names |= {"categories": json.dumps(categories or {}), "task": "multiclass" if outputs else "binary"}
    said = {"digest": digest, "sha256": digest * 5, "service": SERVICE, "model": "flights", "version": "1"} | names
    return pa.RecordBatch.from_pydict(
        {
            **{name: [text] for name, text in said.items()},
            "threshold": pa.array([None if outputs else 0.5], pa.float64()),
            "feature_fingerprint": [digest],
            "ttl_s": [json.dumps([3600.0] * len(views))],
            "reference": [normal],
            "runtime_id": ["0a1b2c3d4e5f"],
            "runtime": ['{"onnxruntime": "1.31.1"}'],
            "role": ["scorer"],
            "worker": ["w"],
            "written_at": pa.array([BASE_MS], pa.int64()).cast(MS),
        }
    )


def reference(inputs: Sequence[str], words: Sequence[str] = (), outputs: Sequence[str] = ()) -> str:
    """What is normal for a bundle of these inputs, as JSON: nothing was seen, so that any word is new."""
    return references.dump(
        Reference(
            n=0,
            features={name: Numbers(Grid(center=8.0, scale=4.0, lo=0.0, hi=50.0)) for name in inputs},
            categories={name: Words() for name in words},
            score=Numbers(UNIT),
            classes={name: Numbers(UNIT) for name in outputs},
        )
    )


def shadows(
    partition: int,
    offsets: list[int],
    variant: str = "wider",
    scores: list[float] | None = None,
    log: str = LOG,
    outputs: int = 0,
) -> pa.RecordBatch:
    """What a shadow says of the same requests."""
    answers = predictions(partition, offsets, log=log, outputs=outputs)
    rows = {
        name: answers[name]
        for name in (
            *("prediction_id", "service", "model", "score", "decision", "event_time", "scored_at"),
            *("source_log", "source_topic", "source_partition", "source_offset", "outputs", "learner_state"),
        )
    }
    if scores is not None:
        rows["score"] = pa.array(scores, pa.float32())
        rows["decision"] = pa.array(["positive" if score >= 0.5 else "negative" for score in scores])
    shared = {"version": "2", "digest": "fedcba987654", "variant": variant}
    return pa.RecordBatch.from_pydict(rows | {name: pa.repeat(value, len(offsets)) for name, value in shared.items()})


def outcomes(
    ids: list[str],
    labels: list[float],
    observed: list[float] | None = None,
    at_ms: int = BASE_MS,
    by: str = "prediction_id",
    **columns: object,
) -> pa.RecordBatch:
    """One row an id. by: which of the two it is. columns: values of others, the same in all rows."""
    n = len(ids)
    words = pa.array(ids, pa.string())
    given = {"service": SERVICE, "revision": 0, "withdrawn": False} | columns
    return pa.RecordBatch.from_pydict(
        {
            **{name: words if name == by else pa.nulls(n, pa.string()) for name in ("prediction_id", "request_id")},
            "label": pa.array([f"{label:g}" for label in labels], pa.string()),
            "observed": pa.array(observed or [30.0 * label for label in labels], pa.float64()),
            "attributes": pa.array([[("missed", -50.0), ("false_alert", -7.0)]] * n, AMOUNTS),
            "occurred_at": pa.array([at_ms] * n, pa.int64()).cast(MS),
            **{name: pa.repeat(pa.scalar(value), n) for name, value in given.items()},
        }
    )


def ledger(
    partition: int,
    spans: list[tuple[int, int]],
    rejected: int = 0,
    role: str = "scorer",
    holes: Collection[int] = (),
    log: str = LOG,
) -> pa.RecordBatch:
    """An entry a span. holes: offsets that hold no record."""
    n = len(spans)
    mine = [[(at, at) for at in range(first, last + 1) if at in holes] for first, last in spans]
    read = [last - first + 1 - len(none) for (first, last), none in zip(spans, mine, strict=True)]
    return pa.RecordBatch.from_pydict(
        {
            "role": [role] * n,
            "service": [SERVICE] * n,
            "source_log": [log] * n,
            "source_topic": [REQUESTS] * n,
            "source_partition": pa.array([partition] * n, pa.int32()),
            "first": pa.array([first for first, _ in spans], pa.int64()),
            "last": pa.array([last for _, last in spans], pa.int64()),
            "read": pa.array(read, pa.int32()),
            "scored": pa.array([count - rejected for count in read], pa.int32()),
            "rejected": pa.array([rejected] * n, pa.int32()),
            "holes": pa.array([np.array(none, "<i8").tobytes() for none in mine], pa.binary()),
            "digest": [DIGEST] * n,
            "worker": ["w"] * n,
            "recorded_at": pa.array([BASE_MS] * n, pa.int64()).cast(MS),
        }
    )


def dead_letters(partition: int, offsets: list[int], log: str = LOG) -> pa.RecordBatch:
    n = len(offsets)
    return pa.RecordBatch.from_pydict(
        {
            "source_log": [log] * n,
            "source_topic": [REQUESTS] * n,
            "source_partition": pa.array([partition] * n, pa.int32()),
            "source_offset": pa.array(offsets, pa.int64()),
            "service": [SERVICE] * n,
            "stage": ["decode"] * n,
            "reason": ["empty"] * n,
            "detail": [""] * n,
            "key": pa.array([None] * n, pa.binary()),
            "value": pa.array([b"\xff\x00" if offset % 2 else None for offset in offsets], pa.binary()),
            "rejected_at": pa.array([BASE_MS] * n, pa.int64()).cast(MS),
        }
    )


def said(record: str, n: int = 3, **columns: Sequence[object]) -> pa.RecordBatch:
    """n rows of a contract, each its first good example; columns: values of some, n each."""
    example = examples.good(record)[0]
    rows = Decoder(contract(record), lambda _: None).decode([b"\0\0\0\0\x07" + example.body] * n, 1 << 20).rows
    for name, values in columns.items():
        place = rows.schema.names.index(name)
        plain = pa.int64() if pa.types.is_timestamp(rows.schema.field(name).type) else rows.schema.field(name).type
        rows = rows.set_column(place, name, pa.array(values, plain).cast(rows.schema.field(name).type))
    return rows


def encode(record: str, rows: pa.RecordBatch, schema_id: int = 7) -> list[bytes]:
    return Encoder(contract(record, schema_id)).encode(rows)


def log_of(topic: str) -> str:
    """The log that a topic's name stands for, as the doubles have it."""
    return f"log-of-{topic}"


def place(source: Partition) -> LogPartition:
    """The partition in that log."""
    return LogPartition(log_of(source.topic), *source)


def cut(
    source: Partition, values: list[bytes | None], bounds: list[int], fetched_at_s: float = 0.0, log: str = ""
) -> list[Chunk]:
    """Chunks of a log whose record i has offset i; bounds: where chunks begin, and the end."""
    return [
        Chunk(
            source,
            first,
            end - 1,
            pa.array(values[first:end], pa.large_binary()),
            pa.nulls(end - first, pa.large_binary()),
            np.arange(first, end, dtype=np.int64),
            BASE_MS + 1000 * first,
            BASE_MS + 1000 * (end - 1),
            fetched_at_s,
            log=log or log_of(source.topic),
        )
        for first, end in pairwise(bounds)
        if end > first
    ]
