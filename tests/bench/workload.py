"""What is scored: LightGBM of 100 trees x 31 leaves over synthetic rows, as a bundle; and requests with the rows."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from weir.core.bundle import Bundle
from weir.core.features import ServicePlan
from weir.core.signature import Input, JoinKey, Policy, Signature, Source

Floats = npt.NDArray[np.float32]

SEED = 20_130_101
TREES, LEAVES = 100, 31
TRAINING_ROWS = 20_000
PARAMETERS = {
    "objective": "binary",
    "num_leaves": LEAVES,
    "learning_rate": 0.1,
    "min_data_in_leaf": 20,
    "num_threads": 1,
    "seed": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
PREFIX_ROWS = 40_000  # with Feast features: requests that meet every warm key once, before the measured part
WARM_KEYS = PREFIX_ROWS  # of a view, over all partitions
MS = pa.timestamp("ms", "UTC")
VIEWS = ("customer_recent", "shop_recent")
KEYS = ("customer", "shop")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One scoring service of the bench.

    features: columns of the model. looked_up: whether 24 of its 30 come from the online store, by two keys.
    hit_share: share of lookups whose key was seen before; the others meet a key for the first and only time.
    """

    service: str
    features: int = 30
    partitions: int = 4
    looked_up: bool = False
    hit_share: float = 1.0

    @property
    def topic(self) -> str:
        """Where its requests are."""
        return f"weir.requests.{self.service}"


INSIDE = Workload(service="bench")  # 30 features in the request, four partitions


def signature(workload: Workload, plan: ServicePlan | None = None) -> Signature:
    """Inputs with a valid range each, as a served model has them."""

    def column(name: str, source: Source) -> Input:
        return Input(name=name, source=source, ref=name, low=-1e6, high=1e6, on_missing=Policy.REJECT)

    if plan is None:
        return Signature(inputs=tuple(column(f"f{i}", Source.REQUEST) for i in range(workload.features)))
    looked_up = [column(name, Source.FEATURE) for name in plan.columns]
    carried = [column(f"f{i}", Source.REQUEST) for i in range(workload.features - len(looked_up))]
    return Signature(join_keys=tuple(JoinKey(name=key) for key in KEYS), inputs=(*looked_up, *carried))


def rows(n: int, features: int, seed: int = SEED) -> Floats:
    """n rows of float32[n, features], standard normal; the same for the same seed."""
    return np.random.default_rng(seed).standard_normal((n, features), np.float32)


def bundle(workload: Workload, into: Path, plan: ServicePlan | None = None) -> Path:
    """The workload's bundle under `into`; built again only when it is not there."""
    from weir.edges.bundles import writer as bundle_writer

    note = into / f"{workload.service}-{workload.features}-{plan.fingerprint[:12] if plan else 'none'}.path"
    if note.is_file() and (path := into / note.read_text()).is_dir():
        return path
    model, matrix, scores, labels = trained_on(workload.features)
    described = signature(workload, plan)
    table = pa.table({name: matrix[:, i] for i, name in enumerate(described.names)} | {"score": scores})
    path = bundle_writer.build(
        Bundle(
            service=workload.service,
            name="bench-trees",
            version="1",
            owner="bench",
            signature=described,
            digest="",
            feature_service=plan.service if plan else "",
            feature_fingerprint=plan.reading(described.looked_up).fingerprint if plan else "",
            training_from="2013-01-01",
            training_to="2013-06-30",
        ),
        model,
        golden=table.slice(0, 256),
        baseline=table.append_column("label", pa.array(labels)).slice(0, 1000),
        card="# bench\n\nSynthetic rows; for measuring only.\n",
        into=into,
    )
    note.write_text(path.name)
    return path


@cache
def trained_on(features: int) -> tuple[Any, Floats, Floats, Floats]:
    import lightgbm as lgb
    from weir.edges.bundles.lightgbm_onnx import convert

    matrix = rows(TRAINING_ROWS, features)
    random = np.random.default_rng(SEED + 1)
    labels = _labels(matrix, random)
    booster = lgb.train(PARAMETERS, lgb.Dataset(matrix, labels), TREES)
    scores = np.asarray(booster.predict(matrix[:1000]), np.float32)
    return convert(booster), matrix[:1000], scores, labels[:1000]


def _labels(matrix: Floats, random: np.random.Generator) -> Floats:
    """0 or 1, by a sum over ten columns and noise: float32[n].

    What the labels are like decides what a row costs ONNX Runtime, by a factor of three on the same machine: trees
    grown on noise have branches that a processor foresees (1.2 us a row where these take 3.8). These cost what a
    model of real data does: 100 trees of the flights' model take 3.6 us there.
    """
    weights = np.linspace(1.0, 0.3, min(10, matrix.shape[1]), dtype=np.float32)
    raw = matrix[:, : len(weights)] @ weights + random.standard_normal(len(matrix))
    return (raw > 0).astype(np.float32)


def requests(workload: Workload, n: int, described: Signature) -> list[tuple[int, pa.RecordBatch]]:
    """n requests, partition by partition: (partition, rows in the order of its log).

    With Feast features a partition has keys of its own, as a topic keyed by customer has; the first of its requests
    meet each of them once, later ones draw from them, or take a key that never comes again.
    """
    carried = [item.ref for item in described.of(Source.REQUEST)]
    parts = []
    for partition in range(workload.partitions):
        count = len(range(partition, n, workload.partitions))
        number = np.arange(count) * workload.partitions + partition
        matrix = rows(count, len(carried), SEED + 100 + partition)
        columns = _envelope(number) | {name: matrix[:, i] for i, name in enumerate(carried)}
        if workload.looked_up:
            columns |= {key: pa.array(values) for key, values in keys(workload, partition, count).items()}
        parts.append((partition, pa.RecordBatch.from_pydict(columns)))
    return parts


def keys(workload: Workload, partition: int, count: int) -> dict[str, list[str]]:
    """Entity keys of a partition's requests: join key -> count values. "w": warm, "c": comes only once."""
    random = np.random.default_rng(SEED + 200 + partition)
    warm = WARM_KEYS // workload.partitions
    found = {}
    for key in KEYS:
        drawn = np.where(np.arange(count) < warm, np.arange(count), random.integers(0, warm, count))
        cold = (random.random(count) >= workload.hit_share) & (np.arange(count) >= warm)
        found[key] = [
            f"c{partition}-{i}" if once else f"w{partition}-{number}"
            for i, (number, once) in enumerate(zip(drawn.tolist(), cold.tolist(), strict=True))
        ]
    return found


def _envelope(number: npt.NDArray[np.int64]) -> dict[str, pa.Array]:
    n = len(number)
    now_ms = int(time.time() * 1000)
    return {
        "request_id": pa.array([f"r{i:015x}" for i in number.tolist()]),
        "event_time": pa.array(now_ms + number // 100, pa.int64()).cast(MS),
        "tenant": pa.array([f"tenant-{i % 7}" for i in number.tolist()]),
        "team": pa.array(["risk"] * n),
        "traceparent": pa.nulls(n, pa.string()),
        "deadline": pa.nulls(n, MS),
    }
