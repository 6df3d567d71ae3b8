"""Services with recorded requests and outcomes on Kafka, for learners: two classes, several classes, and numbers."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from clickhouse_connect.driver import Client
    from weir.settings import Settings

BEGIN_MS: Final = 1_790_000_000_000
INPUTS: Final = ("weight", "distance", "wind")
LINEAR: Final = """service: {service}
model: [river.preprocessing.StandardScaler, river.linear_model.{kind}]
learning_rate: 0.01
guards: {{window: 100}}
"""
FILES: Final = {
    "broken": LINEAR.format(service="fragile", kind="LogisticRegression"),
    "hybrid": LINEAR.format(service="fragile", kind="LogisticRegression") + "champion: true\nfeatures: [wind]\n",
    "size": "service: parcels\nmodel: river.naive_bayes.GaussianNB\nguards: {window: 100}\n",
    "minutes": LINEAR.format(service="arrivals", kind="LinearRegression"),
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """Requests of a service. ids: of the predictions. x: float64[n, 3]. labels: what comes true, as it is sent."""

    service: str
    task: str
    classes: Sequence[str]
    ids: Sequence[str]
    x: np.ndarray
    labels: Sequence[Any]
    score: np.ndarray


def made(
    service: str, task: str, n: int, classes: Sequence[str] = (), begin_ms: int = BEGIN_MS, seed: int = 1
) -> Recorded:
    """n requests, a second apart."""
    chance = np.random.default_rng(seed)
    x = (chance.normal(size=(n, 3)) * [1, 10, 100]).astype(np.float32).astype(np.float64)
    raw = x @ [1, -0.1, 0.005]
    if task == "regression":
        labels: list[Any] = (20 + 5 * raw + chance.normal(size=n)).tolist()
    else:
        cuts = np.quantile(raw, np.arange(1, len(classes)) / len(classes))
        labels = [classes[i] for i in np.digitize(raw + chance.normal(size=n) / 3, cuts)]
    score = (raw if task == "regression" else 1 / (1 + np.exp(-raw / 2))).astype(np.float32)
    return Recorded(
        service, task, classes, [id_of(begin_ms + 1000 * i, 1_000_000 * seed + i) for i in range(n)], x, labels, score
    )


def id_of(at_ms: int, number: int) -> str:
    """A UUIDv7 of a time."""
    return str(uuid.UUID(int=(at_ms << 80) | (7 << 76) | (2 << 62) | number))


def learners(folder: Path, names: Iterable[str] = FILES) -> None:
    """The files of a project's learners."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.yaml").write_text(FILES[name])


def bundle(client: Client, of: Recorded) -> None:
    """What scorers have said of the service's bundle."""
    columns = ["digest", "service", "model", "inputs", "task", "classes", "outputs", "role", "written_at"]
    row = [f"d-{of.service}", of.service, "m", list(INPUTS), of.task, list(of.classes), [], "scorer", BEGIN_MS // 1000]
    _insert(client, "bundles", [row], columns)


def record(client: Client, of: Recorded, begin: int = 0, end: int | None = None, **more: str) -> None:
    """Record requests from begin until before end as answered when they were made. more: further columns."""
    columns = ["prediction_id", "request_id", "service", "event_time", "scored_at", "features", "score", "outputs"]
    rows = []
    for i in range(begin, len(of.ids) if end is None else end):
        at = np.datetime64(uuid.UUID(of.ids[i]).int >> 80, "ms").item()
        outputs = dict.fromkeys(of.classes, 1 / 3) if of.task == "multiclass" else {}
        features = dict(zip(INPUTS, of.x[i].tolist(), strict=True))
        row = [of.ids[i], f"r-{of.ids[i]}", of.service, at, at, features, float(of.score[i]), outputs]
        rows.append([*row, *more.values()])
    _insert(client, "predictions", rows, [*columns, *more])


def record_shadow(client: Client, of: Recorded, digest: str, score: float, end: int) -> None:
    """Record that a shadow said this of the first `end` requests."""
    columns = ["prediction_id", "service", "digest", "event_time", "scored_at", "score"]
    times = [np.datetime64(uuid.UUID(one).int >> 80, "ms").item() for one in of.ids[:end]]
    rows = [[one, of.service, digest, at, at, score] for one, at in zip(of.ids, times, strict=False)]
    _insert(client, "shadows", rows, columns)


def record_promotion(client: Client, service: str, learner: str, answers: str, shadow: str) -> None:
    """Record that a learner was promoted."""
    said = json.dumps({"learner": learner, "answers": answers, "shadow": shadow})
    columns = ["action_id", "kind", "service", "parameters"]
    _insert(client, "actions", [[str(uuid.uuid4()), "promoted", service, said]], columns)


def _insert(client: Client, table: str, rows: list[list[Any]], columns: list[str]) -> None:
    client.insert(table, rows, columns, settings={"insert_deduplication_token": uuid.uuid4().hex})


def outcome(of: Recorded, i: int, *, by_request: bool = False, **more: Any) -> dict[str, Any]:
    """The outcome of a request, as contract outcomes has it."""
    number = of.task == "regression"
    return {
        "service": of.service,
        "prediction_id": None if by_request else of.ids[i],
        "request_id": f"r-{of.ids[i]}" if by_request else None,
        "label": None if number else of.labels[i],
        "observed": of.labels[i] if number else None,
        "attributes": {},
        "revision": 0,
        "withdrawn": False,
        "occurred_at": BEGIN_MS,
    } | more


class Sender:
    """Writes outcomes to Kafka."""

    def __init__(self, settings: Settings) -> None:
        from weir.edges.kafka.producer import Producer
        from weir.edges.schemas.contracts import contract_of
        from weir.edges.schemas.registry import Registry
        from weir.wire.encode import Encoder

        self._topic = settings.kafka.names.outcomes
        self._encoder = Encoder(contract_of(settings, Registry(settings.registry), self._topic))
        self._producer = Producer(settings.kafka, "test")

    def send(self, rows: Iterable[dict[str, Any]], partition: int = 0) -> None:
        """Durably, in their order."""
        self._producer.write(self._topic, partition, [self._encoder.record(row) for row in rows])
        self._producer.flush()

    def close(self) -> None:
        """Let go."""
        self._producer.close()
