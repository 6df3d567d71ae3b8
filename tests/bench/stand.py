"""The test stand: a broker of its own with registry and ClickHouse, the bench's services on it, and their backlogs."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from weir.core.errors import Unavailable
from weir.core.features import ServicePlan
from weir.core.signature import Signature
from weir.core.topics import subject_of
from weir.edges.embedded.leash import Child
from weir.edges.embedded.stack import Stack
from weir.edges.features import plan as feature_plan
from weir.edges.features.store.entity_key import encode_key
from weir.edges.features.store.open import open_store
from weir.edges.features.store.record_layout import layout_of
from weir.edges.features.store.record_store import Write
from weir.edges.kafka.admin import REACH_S, bounds
from weir.edges.kafka.client import client_config
from weir.edges.kafka.topics import ensure
from weir.edges.schemas.folder import Topic
from weir.edges.schemas.folder import topics as declared
from weir.edges.schemas.registry import Registry
from weir.settings import ROOT, Settings, load
from weir.wire import request_contract
from weir.wire.encode import Encoder

from tests.bench import metrics, scores
from tests.bench import workload as work
from tests.bench.scores import Sample
from tests.bench.workload import Workload
from tests.kafka_cluster import LIBS
from tests.ports import free_port
from tests.waiting import until

HOME = Path(".weir/bench")
REPOSITORY = ROOT / "tests" / "bench" / "feature_repo"
PREDICTIONS, DEAD_LETTERS, LEDGER = "weir.predictions", "weir.dead-letters", "weir.ledger"
SINK_PARTITIONS = 16  # as many as the request topic with the most: records go to the partition of their request
WRITE_ROWS = 20_000  # queued in the generator at a time
READY_S = 60.0
# Between two looks at how far a topic is, the same for everything compared: one look costs about a tenth of a second of
# CPU time, most of it the broker's. Rates come from the times in the log, so no figure depends on this.
LOOK_S = 1.0
HAND_OVER_S = 30.0  # until the others read a leaving worker's partitions; a session of 6 s is the longest step

# The broker's clock tells when a record was in the log. Old rounds are dropped: ten minutes at full speed are 20 GB.
KAFKA_TOPIC = {
    "message.timestamp.type": "LogAppendTime",
    "segment.bytes": str(128 << 20),
    "retention.bytes": str(512 << 20),
}

Part = tuple[int, list[bytes]]  # partition, values in the order of its log


@dataclass(frozen=True, slots=True)
class Service:
    """A workload on the stand: everything a scorer and a generator need."""

    workload: Workload
    signature: Signature
    bundle: Path
    encoder: Encoder

    @property
    def topic(self) -> str:
        """Its requests."""
        return self.workload.topic


@dataclass(frozen=True, slots=True)
class Worker:
    """A running `weir worker`: its process, and where it tells its metrics."""

    child: Child
    port: int

    @property
    def pid(self) -> int:
        """Of the worker itself."""
        return self.child.pid


class Stand:
    """Backing services with an empty log, from entry to exit. broker: "kafka" or "tansu".

    Raises Unavailable, on entry, when a service does not start.
    """

    def __init__(self, broker: str, say: Callable[[str], None] = lambda line: None) -> None:
        self.broker, self._say = broker, say
        self._home = HOME.resolve()
        self._services: dict[str, Service] = {}
        self._requests: dict[tuple[str, int], list[Part]] = {}
        self._samples: dict[tuple[str, int], Sample] = {}
        self._workers = 0

    def __enter__(self) -> Self:
        for old in ("kafka", "clickhouse", "registry", "logs"):
            shutil.rmtree(self._home / old, ignore_errors=True)
        settings = load(
            home=self._home,
            bundles_dir=self._home / "bundles",
            feature_repo_dir=REPOSITORY,
            embedded_broker=self.broker,
            kafka_libs_dir=LIBS,
            service="bench",
            online_store="lmdb",
        )
        self.stack = _started(settings)
        try:
            self.settings = self.stack.settings
            self._registry = Registry(self.settings.registry)
            fixed = self._declared()
            ensure(self.settings, [topic for topic in fixed if topic.partitions == 1])
            self._ensure([topic for topic in fixed if topic.partitions > 1], SINK_PARTITIONS)
        except BaseException:
            self.stack.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stack.stop()
        shutil.rmtree(self._home / "kafka", ignore_errors=True)  # gigabytes of requests that nobody needs again

    @property
    def broker_pid(self) -> int:
        """Of the broker's process."""
        return self.pid_of("broker")

    def pid_of(self, service: str) -> int:
        """Of a backing service: "broker", "clickhouse", "registry"."""
        return self.stack.child(service).pid

    # ---- services

    def service(self, workload: Workload) -> Service:
        """The workload's topic, contract, bundle and, if it looks features up, their definitions and records."""
        known = self._services.get(workload.service)
        if known is not None and known.workload == workload:
            return known
        plan = self._features() if workload.looked_up else None
        signature = work.signature(workload, plan)
        self._registry.register(subject_of(workload.topic), request_contract.build(workload.service, signature))
        template = next(topic for topic in self._declared(workload.service) if topic.name == workload.topic)
        self._ensure([template], workload.partitions)
        encoder = Encoder(self._registry.contract(subject_of(workload.topic)))
        bundle = work.bundle(workload, self.settings.paths.bundles_dir, plan)
        self._services[workload.service] = Service(workload, signature, bundle, encoder)
        return self._services[workload.service]

    def _declared(self, *services: str) -> tuple[Topic, ...]:
        return declared(self.settings.paths.schemas_dir, services, self.settings.kafka.deployment)

    def _ensure(self, topics: Sequence[Topic], partitions: int) -> None:
        """Make topics; with Apache Kafka the broker's own clock stamps what arrives, whoever wrote it."""
        topics = [dataclasses.replace(topic, partitions=partitions) for topic in topics]
        if self.broker != "kafka":
            ensure(self.settings, topics)
            return
        self.create([topic.name for topic in topics], partitions)

    def create(self, names: Sequence[str], partitions: int) -> None:
        """Topics whose records are stamped on arrival where the broker can do so."""
        config = KAFKA_TOPIC if self.broker == "kafka" else {}
        admin = AdminClient(client_config(self.settings.kafka, "bench") | {"log_level": 0})
        there = admin.list_topics(timeout=REACH_S).topics
        wanted = [
            NewTopic(name, num_partitions=partitions, replication_factor=1, config=config)
            for name in names
            if name not in there
        ]
        for future in (admin.create_topics(wanted) if wanted else {}).values():
            future.result(REACH_S)

        def led() -> bool:
            known = admin.list_topics(timeout=REACH_S).topics
            return all(
                name in known and known[name].partitions and all(p.leader >= 0 for p in known[name].partitions.values())
                for name in names
            )

        until(led, READY_S, f"leaders of {', '.join(names)}")

    def _features(self) -> ServicePlan:
        """The feature service, applied if its definitions changed since."""
        plan_file = feature_plan.path(self.settings)
        newest = max(path.stat().st_mtime for path in REPOSITORY.glob("*"))
        if not plan_file.is_file() or plan_file.stat().st_mtime < newest:
            self._say("applying the bench's feature repository")
            child = self.stack.spawn(["apply"], "apply")
            status = child.wait(READY_S)
            self.stack.forget(child)
            if status:
                raise RuntimeError(f"`weir apply` ended with status {status}: {child.log_tail()}")
        return feature_plan.load(self.settings, "bench_v1")

    # ---- requests

    def requests(self, service: Service, n: int) -> list[Part]:
        """n encoded requests; with their keys in the online store if they look features up."""
        if (service.topic, n) not in self._requests:
            parts = work.requests(service.workload, n, service.signature)
            if service.workload.looked_up:
                self.fill_store(service, [rows for _, rows in parts])
            self._samples[service.topic, n] = self._sample(service, parts)
            encoded = [(number, as_bytes(service.encoder.encode(rows))) for number, rows in parts]
            for old in list(self._requests)[:-1]:  # a hundred megabytes each
                del self._requests[old]
            self._requests[service.topic, n] = encoded
        return self._requests[service.topic, n]

    def stamped(self, service: Service, n: int, begin_s: float, rate: float) -> list[Part]:
        """The same, each with the time at which it is due as its event time: the first at `begin_s`."""
        found = []
        for number, rows in work.requests(service.workload, n, service.signature):
            place = np.arange(len(rows)) * service.workload.partitions + number
            due = pa.array((1000 * (begin_s + place / rate)).astype(np.int64)).cast(work.MS)
            at = rows.schema.get_field_index("event_time")
            found.append((number, as_bytes(service.encoder.encode(rows.set_column(at, "event_time", due)))))
        return found

    def sample(self, service: Service, n: int) -> Sample:
        """Some of `requests(service, n)` with ONNX Runtime's own scores."""
        self.requests(service, n)
        return self._samples[service.topic, n]

    def _sample(self, service: Service, parts: Sequence[tuple[int, pa.RecordBatch]]) -> Sample:
        model = service.bundle / "model.onnx"
        if not service.workload.looked_up:
            return scores.sample(model, service.signature, parts)
        plan = feature_plan.load(self.settings, "bench_v1")
        store = open_store(self.settings, plan.project)
        try:
            return scores.sample(model, service.signature, parts, store, plan)
        finally:
            store.close()

    def produce(self, topic: str, parts: Sequence[Part]) -> None:
        """Write requests, a little of each partition in turn. Raises RuntimeError when the broker takes none."""
        producer = Producer(
            client_config(self.settings.kafka, "bench-generator")
            | {
                "linger.ms": 20,
                "batch.num.messages": 5000,
                "queue.buffering.max.messages": 2 * WRITE_ROWS,
                "acks": 1,
            }
        )
        step = WRITE_ROWS // 4
        for begin in range(0, max(len(values) for _, values in parts), step):
            for partition, values in parts:
                queue(producer, topic, partition, values[begin : begin + step])
        if producer.flush(READY_S):
            raise RuntimeError(f"the broker did not take the requests of {topic}")

    def fill_store(self, service: Service, parts: Sequence[pa.RecordBatch]) -> None:
        """A record of random values, as old as now, for every key that the requests name."""
        plan = feature_plan.load(self.settings, "bench_v1")
        store = open_store(self.settings, plan.project)
        now_us = int(time.time() * 1e6)
        random = np.random.default_rng(work.SEED)
        for view in plan.views:
            wanted = list(dict.fromkeys(key for rows in parts for key in rows.column(view.join_keys[0]).to_pylist()))
            values = random.standard_normal((len(wanted), len(view.features)), np.float32)
            records = layout_of(view).pack_floats(values, np.full(len(wanted), now_us))
            for begin in range(0, len(wanted), WRITE_ROWS):
                part = range(begin, min(begin + WRITE_ROWS, len(wanted)))
                keys = [encode_key((wanted[i],)) for i in part]
                store.write_many([Write(view, keys, records.take(part))], now_us)
        store.close()

    def ends(self, topic: str) -> dict[int, int]:
        """Partition -> next offset."""
        return {source.partition: end for source, (_, end) in bounds(self.settings.kafka, topic).items()}

    def wait_for(self, topic: str, total: int, seconds: float) -> None:
        """Wait until a topic holds so many records. Raises RuntimeError when it gets no more."""
        deadline_s = time.monotonic() + READY_S + seconds
        while (found := sum(self.ends(topic).values())) < total:
            self.stack.check()
            if time.monotonic() > deadline_s:
                raise RuntimeError(f"{topic} holds {found} of {total} records and gets no more")
            time.sleep(LOOK_S)  # the deadline decides

    # ---- workers

    @contextmanager
    def workers(
        self, service: Service, count: int, environment: Mapping[str, str] | None = None, role: str = "scorer"
    ) -> Iterator[list[Worker]]:
        """Running `weir worker` processes; ended by SIGTERM, which commits and leaves the group."""
        started: list[Worker] = []
        try:
            for _ in range(count):
                self._workers += 1
                port = free_port()
                variables = {"WEIR_SERVICE": service.workload.service, "WEIR_HTTP_PORT": str(port)}
                command = ["worker", role] + (["--bundle", str(service.bundle)] if role == "scorer" else [])
                child = self.stack.spawn(command, f"{role}-{self._workers}", variables | dict(environment or {}))
                started.append(Worker(child, port))
            yield started
        finally:
            self._end(started)

    def _end(self, workers: Sequence[Worker]) -> None:
        """End workers one after the other, each when those that are left read all partitions.

        A member that leaves the embedded broker before it has taken part in the rebalance after another's leave leaves
        the group without partitions for ever: whoever joins it next would wait in vain.
        """

        def read(some: Sequence[Worker]) -> float:
            return metrics.scrape(some).total("weir_assigned_partitions")

        expected, left = read(workers), list(workers)
        while left:
            self.stack.forget(left.pop(0).child)
            try:
                until(lambda: not left or read(left) >= expected, HAND_OVER_S, f"{expected:.0f} partitions to be read")
            except AssertionError as error:  # what was measured stands; the next group may meet it
                self._say(f"a worker has left: {error}")


def _started(settings: Settings) -> Stack:
    """A running stack. Tried twice: on a busy machine somebody may take a port before the broker does."""
    try:
        return Stack(settings).__enter__()
    except Unavailable:
        return Stack(settings).__enter__()


def as_bytes(values: Any) -> list[bytes]:
    """Encoded records as Python bytes, whatever the encoder gives them as."""
    return values.to_pylist() if isinstance(values, pa.Array | pa.ChunkedArray) else list(values)


def queue(producer: Producer, topic: str, partition: int, values: Sequence[bytes]) -> None:
    """Queue values in order, waiting while the queue is full. Raises RuntimeError when it stays so for READY_S."""
    moved_s = time.monotonic()
    while values:
        batch = [{"value": value} for value in values]
        producer.produce_batch(topic, batch, partition)
        left = [message["value"] for message in batch if "_error" in message]
        if len(left) < len(values):
            moved_s = time.monotonic()
        elif time.monotonic() > moved_s + READY_S:
            raise RuntimeError(f"the broker has taken no requests of {topic} for {READY_S:g} s")
        values = left
        if values:
            producer.poll(0.02)
