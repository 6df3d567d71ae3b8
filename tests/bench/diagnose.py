"""`python -m tests.bench.diagnose`: injected faults of each class, and what `weir diagnose` says of them.

Rows are made up with numpy and put into ClickHouse: a logistic model over six features, two of them from a feature
view, its requests, outcomes and batches; twelve hours before and two with the fault. Strengths are drawn at random.
A fault is attributed correctly where the likeliest cause is of its kind and names the features or the group.
"""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa
from clickhouse_connect.driver import Client
from weir.edges.clickhouse import results
from weir.monitor.diagnosis import Cause
from weir.operations import diagnose
from weir.operations.diagnose import Change

BEGIN: Final = datetime(2026, 1, 2, 12, tzinfo=UTC)
BEFORE, WINDOW = 3600, 600  # rows, five a minute
FEATURES: Final = ("amount", "age", "distance", "hour", "shop__sales", "shop__returns")
WEIGHTS: Final = np.array([0.9, -0.7, 0.5, 0.3, 0.6, -0.8])
EACH: Final = 10


@dataclass
class Case:
    """One service's rows, the window last. x: what the model sees; true: the same as they are in the world."""

    chance: np.random.Generator
    x: np.ndarray
    true: np.ndarray
    tenant: np.ndarray
    digest: np.ndarray
    contract: np.ndarray
    runtime: np.ndarray
    weights: np.ndarray
    unavailable: np.ndarray
    flip: np.ndarray
    lookup_us: np.ndarray
    lag_us: np.ndarray
    expected: str = ""
    subject: str = ""

    @staticmethod
    def quiet(chance: np.random.Generator) -> Case:
        """Nothing happens."""
        n = BEFORE + WINDOW
        x = np.column_stack(
            [
                chance.lognormal(3, 0.8, n),
                chance.normal(45, 12, n),
                chance.exponential(8, n),
                chance.integers(0, 24, n),
                chance.normal(200, 60, n),
                chance.gamma(2, 3, n),
            ]
        )
        lookup = chance.gamma(4, 500, n)
        return Case(
            chance=chance,
            x=x,
            true=x.copy(),
            tenant=chance.choice(["north", "south", "west"], n, p=[0.5, 0.3, 0.2]).astype(object),
            digest=np.full(n, "aaaaaaaaaaaa", object),
            contract=np.full(n, 7),
            runtime=np.full(n, "r1", object),
            weights=np.tile(WEIGHTS, (n, 1)),
            unavailable=np.zeros(n, bool),
            flip=np.zeros(n),
            lookup_us=lookup,
            lag_us=chance.gamma(4, 2000, n) + 2 * lookup,
        )

    @property
    def late(self) -> np.ndarray:
        """Rows of the window."""
        return np.arange(len(self.x)) >= BEFORE

    def some(self, low: float, high: float) -> np.ndarray:
        """A share of the rows of the window."""
        return self.late & (self.chance.random(len(self.x)) < self.chance.uniform(low, high))

    def probability(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """What a model with these weights gives; a feature that is missing counts as usual."""
        usual, spread = np.array([28.0, 45, 8, 11.5, 200, 6]), np.array([25.0, 12, 8, 7, 60, 4.2])
        scaled = np.nan_to_num((x - usual) / spread)
        found: np.ndarray = 1 / (1 + np.exp(-(np.clip(scaled, -4, 4) * weights).sum(1) + 0.8))
        return found


def slow_store(case: Case) -> None:
    case.lookup_us[case.late] *= case.chance.uniform(8, 60)
    case.lag_us[case.late] += 2 * case.lookup_us[case.late]
    case.unavailable |= case.some(0.0, 0.5)
    case.x[case.unavailable, 4:] = np.nan
    case.expected = "slow store"


def lagging_consumer(case: Case) -> None:
    case.lag_us[case.late] += case.chance.uniform(1, 120) * 1e6
    case.expected = "lagging consumer"


def _break(case: Case, rows: np.ndarray, column: int) -> None:
    how = case.chance.integers(4)
    if how == 0:
        case.x[rows, column] *= case.chance.choice([0.01, 0.1, 10, 100])
    elif how == 1:
        case.x[rows, column] = case.x[0, column]
    elif how == 2:
        case.x[rows & (case.chance.random(len(rows)) < case.chance.uniform(0.6, 1)), column] = np.nan
    else:
        case.x[rows, column] += case.chance.choice([-1, 1]) * case.chance.uniform(1, 3) * case.x[:, column].std()


def broken_feature(case: Case) -> None:
    column = int(case.chance.integers(6))
    _break(case, case.late, column)
    case.expected, case.subject = "broken feature", FEATURES[column]


def swapped_columns(case: Case) -> None:
    one, other = sorted(case.chance.choice(6, 2, replace=False))
    rows = case.late
    case.x[np.ix_(rows, [one, other])] = case.x[np.ix_(rows, [other, one])]
    case.expected, case.subject = "swapped columns", f"{FEATURES[one]} {FEATURES[other]}"


def changed_label(case: Case) -> None:
    case.flip[case.late] = case.chance.uniform(0.3, 1)
    case.expected = "changed label"


def new_producer(case: Case) -> None:
    rows = case.late if case.chance.random() < 0.3 else case.some(0.4, 0.9)
    case.contract[rows] = 8
    _break(case, rows, int(case.chance.integers(4)))
    case.expected, case.subject = "new producer version", "contract 8"


def new_model(case: Case) -> None:
    rows = case.late if case.chance.random() < 0.3 else case.some(0.4, 0.9)
    case.digest[rows] = "bbbbbbbbbbbb"
    case.weights[rows] = WEIGHTS + case.chance.choice([-1, 1], 6) * case.chance.uniform(0.6, 1.2, 6)
    case.expected, case.subject = "new model version", "bundle bbbbbbbbbbbb"


def new_runtime(case: Case) -> None:
    """The same bundle on another engine, which gives other scores and takes longer."""
    case.runtime[case.late] = "r2"
    case.weights[case.late] = WEIGHTS + case.chance.choice([-1, 1], 6) * case.chance.uniform(0.6, 1.2, 6)
    case.expected, case.subject = "new runtime", "runtime r2"


def new_segment(case: Case) -> None:
    rows = case.some(0.3, 0.6)
    case.tenant[rows] = "east"
    for column in case.chance.choice(6, 3, replace=False):
        case.x[rows, column] += case.chance.choice([-1, 1]) * case.chance.uniform(1, 2.5) * case.x[:, column].std()
    case.true[rows] = case.x[rows]
    case.expected, case.subject = "new segment", "tenant east"


FAULTS: Final[Mapping[str, Callable[[Case], None]]] = {
    "slow store": slow_store,
    "lagging consumer": lagging_consumer,
    "broken feature": broken_feature,
    "swapped columns": swapped_columns,
    "changed label": changed_label,
    "new producer version": new_producer,
    "new model version": new_model,
    "new segment": new_segment,
    "new runtime": new_runtime,
}


def record(client: Client, service: str, case: Case) -> None:
    """Predictions, outcomes and batches of one service."""
    n, chance = len(case.x), case.chance
    event_ms = int(BEGIN.timestamp() * 1000) + 12_000 * (np.arange(n) - BEFORE)
    ids = [uuid.UUID(int=int(ms) << 80 | 7 << 76 | 2 << 62 | int(chance.integers(1 << 62))) for ms in event_ms]
    batch = np.arange(n) // 20 + 1_000_000 * int(chance.integers(1 << 30))
    score = case.probability(case.x, case.weights)
    truth = chance.random(n) < case.probability(case.true, np.tile(WEIGHTS, (n, 1)))
    truth ^= chance.random(n) < case.flip
    times = pa.array(event_ms).cast(pa.timestamp("ms", tz="UTC"))
    positive = np.where(score >= 0.5, "positive", "negative")
    status = np.where(case.unavailable, "unavailable", "present")
    put(
        client,
        "predictions",
        {
            "prediction_id": pa.array([str(one) for one in ids]),
            "service": pa.repeat(service, n),
            "digest": pa.array(case.digest.tolist()),
            "tenant": pa.array(case.tenant.tolist()),
            "contract_id": pa.array(case.contract.astype(np.int32)),
            "batch_id": pa.array(batch),
            "score": pa.array(score.astype(np.float32)),
            "decision": pa.array(positive.tolist()),
            "event_time": times,
            "scored_at": times,
            "source_log": pa.repeat("log", n),
            "source_topic": pa.repeat(f"weir.requests.{service}", n),
            "source_partition": pa.array(np.zeros(n, np.int32)),
            "source_offset": pa.array(np.arange(n)),
            "features": maps(case.x.astype(np.float32), FEATURES, pa.float32()),
            "feature_status": maps(status[:, None], ("shop",), pa.string()),
            "feature_age_s": maps(np.full((n, 1), 60, np.int32), ("shop",), pa.int32()),
        },
    )
    put(
        client,
        "outcomes",
        {
            "service": pa.repeat(service, n),
            "prediction_id": pa.array([str(one) for one in ids]),
            "label": pa.array(np.where(truth, "positive", "negative").tolist()),
            "occurred_at": times,
            "received_at": times,
        },
    )
    first = np.arange(0, n, 20)
    lag_ms = np.array([case.lag_us[at : at + 20].mean() for at in first]) / 1000
    scored = pa.array(event_ms[first]).cast(pa.timestamp("ms", tz="UTC"))
    put(
        client,
        "batches",
        {
            "batch_id": pa.array(batch[first]),
            "service": pa.repeat(service, len(first)),
            "runtime_id": pa.array(case.runtime[first].tolist()),
            "scored_at": scored,
            "oldest_at": pa.array((event_ms[first] - lag_ms).astype(np.int64)).cast(pa.timestamp("ms", tz="UTC")),
            "rows": pa.array(np.full(len(first), 20, np.uint32)),
            "lookup_us": pa.array(np.array([case.lookup_us[at : at + 20].mean() for at in first]).astype(np.uint64)),
            "run_us": pa.array(chance.gamma(4, 200, len(first)).astype(np.uint64)),
            "decode_us": pa.array(chance.gamma(4, 100, len(first)).astype(np.uint64)),
        },
    )
    results.make(client, {service: ""})


def maps(values: np.ndarray, names: tuple[str, ...], kind: pa.DataType) -> pa.MapArray:
    """A map a row."""
    n = len(values)
    offsets = pa.array(np.arange(n + 1, dtype=np.int32) * len(names))
    return pa.MapArray.from_arrays(offsets, pa.array(list(names) * n), pa.array(values.ravel().tolist(), kind))


def put(client: Client, table: str, columns: dict[str, Any]) -> None:
    """One insert under a token of its own."""
    client.insert_arrow(
        table,
        pa.table(columns),
        settings={"insert_deduplication_token": uuid.uuid4().hex, "max_partitions_per_insert_block": 0},
    )


def attributed(client: Client, service: str) -> tuple[Cause, ...]:
    """What is said of the window."""
    change = Change(
        service=service,
        begin=BEGIN,
        end=BEGIN + timedelta(hours=2),
        base_begin=BEGIN - timedelta(hours=12),
        base_end=BEGIN,
    )
    return diagnose.explain(client, change).causes


def right(case: Case, causes: tuple[Cause, ...]) -> bool:
    """Whether the likeliest cause is the one that was injected."""
    first = causes[0] if causes else None
    return (
        first is not None
        and first.name == case.expected
        and set(case.subject.split()) <= set(first.subject.replace(",", " ").split())
    )


def measure(client: Client, each: int = EACH, seed: int = 13) -> dict[str, dict[str, Any]]:
    """By class: how many were attributed correctly, and what was said instead; "nothing" is a class, too."""
    chance = np.random.default_rng(seed)
    found: dict[str, dict[str, Any]] = {}
    for name, inject in {**FAULTS, "nothing": lambda _case: None}.items():
        good, instead, took_s = 0, [], 0.0
        for number in range(each):
            case, service = Case.quiet(chance), f"{name.replace(' ', '-')}-{number}"
            inject(case)
            record(client, service, case)
            began_s = time.monotonic()
            causes = attributed(client, service)
            took_s += time.monotonic() - began_s
            if right(case, causes) if case.expected else not causes:
                good += 1
            else:
                instead.append(f"{causes[0].name} {causes[0].subject} {causes[0].share:.0%}" if causes else "nothing")
        found[name] = {"right": good, "of": each, "instead": instead, "seconds": took_s / each}
    return found


def main() -> int:
    """Measure on a ClickHouse of its own and print the table; exit status 1 where a class is below nine in ten."""
    import tempfile
    from pathlib import Path

    from weir.edges.clickhouse import migrations
    from weir.edges.clickhouse.client import connect
    from weir.edges.embedded.stack import Stack
    from weir.settings import load

    with tempfile.TemporaryDirectory() as home, Stack(load(home=Path(home), embedded_broker="tansu")) as stack:
        migrations.apply(stack.settings.recording)
        found = measure(connect(stack.settings.recording))
    print(f"{'injected':22} {'right':>7}  {'seconds':>7}  said instead")
    for name, row in found.items():
        print(f"{name:22} {row['right']:>4}/{row['of']}  {row['seconds']:7.2f}  {', '.join(row['instead'])}")
    return int(any(row["right"] < 0.9 * row["of"] for row in found.values()))


if __name__ == "__main__":
    sys.exit(main())
