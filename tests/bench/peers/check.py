"""Whether a peer does the job: every request answered once, with the scores of ONNX Runtime; and how fast.

    python -m tests.bench.peers.check [--peer NAME]... [--requests N] [--partitions N] [--batch N]

Starts Apache Kafka, fills the requests topic, starts one peer after another, each in topics of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import fastavro
import numpy as np
import pyarrow as pa
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from weir.core.contract import Contract
from weir.core.signature import Signature
from weir.core.topics import subject_of
from weir.edges.bundles.onnx_model import Model
from weir.edges.embedded import kafka as embedded_kafka
from weir.edges.embedded import leash
from weir.edges.embedded.service import free_port, wait_ready
from weir.settings import ROOT
from weir.wire import frame, request_contract
from weir.wire.encode import Encoder

from tests.bench import workload
from tests.bench.peers import run
from tests.kafka_cluster import find_kafka
from tests.waiting import until

SCHEMA_ID = 7
WITHIN_S = 300.0
TOLERANCE = 1e-6  # of a score: the same model on the same rows, by ONNX Runtime or by the kernel for trees


@dataclass(frozen=True, slots=True)
class Result:
    """What a peer did. seconds: from its first prediction in the broker's log to its last."""

    peer: str
    requests: int
    missing: int
    doubled: int
    worst_difference: float
    seconds: float

    @property
    def equal(self) -> bool:
        """Whether each request was answered once, with the right score."""
        return not self.missing and not self.doubled and self.worst_difference <= TOLERANCE

    def __str__(self) -> str:
        verdict = "equal scores" if self.equal else "NOT EQUAL"
        return (
            f"{self.peer:18} {self.requests / self.seconds:10,.0f} /s  {verdict}: {self.missing} missing, "
            f"{self.doubled} doubled, largest difference {self.worst_difference:.1e}"
        )


@dataclass(frozen=True, slots=True)
class Work:
    """Requests as they lie in the topic, and their scores by request id."""

    framed: dict[int, list[bytes]]
    expected: dict[str, float]
    schema: str
    model: Path


def work(n: int, partitions: int, home: Path) -> Work:
    """n requests of 30 features, and what ONNX Runtime says of them."""
    service = workload.Workload(service="peers", partitions=partitions)
    described: Signature = workload.signature(service)
    schema = request_contract.build(service.service, described)
    encoder = Encoder(Contract(subject_of(service.topic), 1, schema, SCHEMA_ID))
    bundle = workload.bundle(service, home)
    model = Model(bundle)
    framed, expected = {}, {}
    for partition, rows in workload.requests(service, n, described):
        framed[partition] = [bytes(value) for value in encoder.encode(rows)]
        matrix = np.column_stack([rows.column(name).to_numpy() for name in described.names])
        scores = model.run(np.ascontiguousarray(matrix, np.float32))[:, 0]
        expected |= dict(zip(rows.column("request_id").to_pylist(), scores.tolist(), strict=True))
    return Work(framed, expected, schema, bundle / "model.onnx")


@contextmanager
def broker(home: Path) -> Iterator[str]:
    """Apache Kafka with its log under `home`: host:port."""
    port = free_port()
    service = embedded_kafka.plan(find_kafka(), home, port).service
    child = leash.start(service.name, service.command, log=home / "broker.log", grace_s=service.grace_s)
    try:
        wait_ready([(service, child)], time.monotonic(), lambda _: None)
        yield service.address
    finally:
        child.stop()


def check(peer: run.Peer, brokers: str, todo: Work, batch: int, home: Path) -> Result:
    """One run of one peer over all requests. Raises AssertionError when it ends or does not come to the end."""
    n = len(todo.expected)
    requests, predictions = f"requests-{peer.title}", f"predictions-{peer.title}"
    _create(brokers, requests, len(todo.framed))
    _create(brokers, predictions, len(todo.framed))
    _produce(brokers, requests, todo)
    schema = home / "request.avsc"
    schema.write_text(todo.schema, encoding="utf-8")
    log = home / f"{peer.title}.log"
    process = peer.start(
        {
            "BROKERS": brokers,
            "REQUESTS_TOPIC": requests,
            "PREDICTIONS_TOPIC": predictions,
            "MODEL": str(todo.model),
            "SCHEMA": str(schema),
            "GROUP": f"peer-{peer.title}",
            "MAX_BATCH": str(batch),
        },
        log,
    )
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "check", "enable.auto.commit": False})
    try:
        until(
            lambda: _answered(consumer, predictions, len(todo.framed), process, log) >= n,
            WITHIN_S,
            f"{n} predictions of {peer.title}, see {log}",
        )
        run.stop(process)
        return _compare(peer, consumer, predictions, todo)
    finally:
        run.stop(process)
        consumer.close()


def _create(brokers: str, topic: str, partitions: int) -> None:
    new = NewTopic(topic, partitions, 1, config={"message.timestamp.type": "LogAppendTime"})
    admin = AdminClient({"bootstrap.servers": brokers})  # held: without it the answer never comes
    for future in admin.create_topics([new]).values():
        future.result()


def _produce(brokers: str, topic: str, todo: Work) -> None:
    producer = Producer({"bootstrap.servers": brokers, "queue.buffering.max.messages": 1_000_000, "linger.ms": 20})
    for partition, values in todo.framed.items():
        for value in values:
            producer.produce(topic, value, partition=partition)
    assert producer.flush(60) == 0, "the requests did not reach the broker"


def _answered(consumer: Consumer, topic: str, partitions: int, process, log: Path) -> int:
    assert process.poll() is None, f"the peer ended with {process.returncode}:\n{log.read_text()[-2000:]}"
    try:
        return sum(consumer.get_watermark_offsets(TopicPartition(topic, i))[1] for i in range(partitions))
    except KafkaException:  # a broker may not know yet that it leads a topic that was just made
        return 0


def _compare(peer: run.Peer, consumer: Consumer, topic: str, todo: Work) -> Result:
    schema = fastavro.parse_schema(json.loads(run.OUT_SCHEMA.read_text(encoding="utf-8")))
    ends = [consumer.get_watermark_offsets(TopicPartition(topic, i))[1] for i in range(len(todo.framed))]
    consumer.assign([TopicPartition(topic, i, OFFSET_BEGINNING) for i in range(len(ends))])
    scores: dict[str, list[float]] = {}
    at_ms = []
    while len(at_ms) < sum(ends):
        for message in consumer.consume(5000, 1.0):
            row = fastavro.schemaless_reader(pa.BufferReader(message.value()[frame.HEADER_BYTES :]), schema, None)
            scores.setdefault(row["request_id"], []).append(row["score"])
            at_ms.append(message.timestamp()[1])
    differences = [abs(score - todo.expected[name]) for name, given in scores.items() for score in given]
    return Result(
        f"{peer.title} {peer.version}",
        len(todo.expected),
        len(todo.expected.keys() - scores.keys()),
        len(at_ms) - len(scores),
        max(differences),
        (max(at_ms) - min(at_ms)) / 1000,
    )


def main() -> int:
    """Exit status 1 when a peer is not equal."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peers.check", description=__doc__)
    parser.add_argument("--peer", action="append", choices=sorted(run.PACKAGES), help="all, when left out")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--batch", type=int, default=1024)
    asked = parser.parse_args()
    results = []
    scratch = ROOT / ".weir" / "bench"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch, prefix="check-") as name:
        home = Path(name)
        todo = work(asked.requests, asked.partitions, home / "bundles")
        with broker(home / "kafka") as brokers:
            named = [run.peer(each) for each in asked.peer] if asked.peer else run.available()
            for peer in (one for known in named for one in known.each_engine):
                results.append(check(peer, brokers, todo, asked.batch, home))
                print(results[-1], flush=True)
    return 0 if all(result.equal for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
