"""`weir worker scorer` as a process of its own: bad input, an end by signal, a crash, and a world that is not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import numpy as np
import psutil
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka import Producer as RdProducer

from app.agents.parts import open_parts
from app.core.contract import requests_topic, subject_of
from app.core.errors import WeirError
from app.edges.embedded import Stack
from app.edges.kafka import bounds, client_config
from app.edges.leash import Child
from app.edges.onnx_model import Model
from app.edges.schema_registry import Registry
from app.edges.topics import declared, ensure
from app.telemetry import Telemetry
from app.wire import request_contract
from app.wire.decode import Decoder
from app.wire.encode import Encoder
from tests import tiny_requests as tiny
from tests.bundles import SIGNATURE, tiny_bundle
from tests.ports import free_port
from tests.waiting import until

MAX_BYTES = 2000
OUT = ("weir.predictions", "weir.dead-letters", "weir.ledger")
SMALL = {"chunk_max_records": 512, "batch_max_rows": 512}      # so that work lasts longer than a signal takes
START_S = 30.0                          # two cores, several workers starting at once


@dataclass
class Service:
    """A scoring service of its own, with its topics, contract and bundle; and everything written in its name."""

    stack: Stack
    folder: Path
    name: str = field(default_factory=lambda: f"tiny-{uuid4().hex[:6]}")
    sent: dict[tuple[int, int], bytes | None] = field(default_factory=dict)      # (partition, offset) -> value
    rows: dict[str, list[dict]] = field(default_factory=lambda: defaultdict(list))
    _next: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(4), 0))

    def __post_init__(self) -> None:
        self.bundle = tiny_bundle(self.folder, service=self.name)
        self.settings = self.stack.settings.model_copy(update={"service": self.name})
        self.topic = requests_topic(self.name)
        registry = Registry(self.settings)
        registry.register(subject_of(self.topic), request_contract.build(self.name, SIGNATURE))
        ensure(self.settings, declared(self.settings))
        self.encoder = Encoder(registry.contract(subject_of(self.topic)))
        self._decoders = {topic: Decoder(registry.contract(subject_of(topic)), registry.schema_text) for topic in OUT}
        self._producer = RdProducer(client_config(self.settings, "tests") | {"linger.ms": 5})
        self._reader = Consumer({**client_config(self.settings, "tests"), "group.id": "tests"})
        ends = {source: end for topic in OUT for source, (_, end) in bounds(self.settings, topic).items()}
        self._reader.assign([TopicPartition(*source, end) for source, end in ends.items()])

    def send(self, partition: int, values: list[bytes | None]) -> None:
        for value in values:
            self._producer.produce(self.topic, value, key=b"key", partition=partition)
        assert self._producer.flush(20) == 0
        for value in values:
            self.sent[partition, self._next[partition]] = value
            self._next[partition] += 1

    def send_rows(self, count: int) -> None:
        """Good requests, spread over the partitions."""
        encoded = self.encoder.encode(tiny.rows(count, first=len(self.sent)))
        for partition in range(4):
            self.send(partition, encoded[partition::4])

    def look(self) -> Service:
        """Take what has been written since the last look."""
        while self.look_once():
            pass
        return self

    def look_once(self) -> bool:
        """Take some of it; False when there is nothing."""
        if messages := self._reader.consume(10_000, 0.05):
            by_topic = defaultdict(list)
            for message in messages:
                assert message.error() is None
                by_topic[message.topic()].append(message)
            for topic, found in by_topic.items():
                decoded = self._decoders[topic].decode([message.value() for message in found], 10**7)
                assert not len(decoded.rejects)
                for message, row in zip(found, decoded.rows.to_pylist(), strict=True):
                    if row["service"] == self.name:
                        assert message.partition() == row["source_partition"]
                        self.rows[topic].append(row)
        return bool(messages)

    @property
    def predictions(self) -> list[dict]:
        return self.rows["weir.predictions"]

    @property
    def dead_letters(self) -> list[dict]:
        return self.rows["weir.dead-letters"]

    @property
    def answered(self) -> Counter[tuple[int, int]]:
        """How often each request was answered, by prediction or dead letter."""
        return Counter((row["source_partition"], row["source_offset"]) for row in self.predictions + self.dead_letters)

    @property
    def in_ledger(self) -> set[tuple[int, int]]:
        return {
            (row["source_partition"], offset)
            for row in self.rows["weir.ledger"] for offset in range(row["first"], row["last"] + 1)
        }  # fmt: skip

    def send_and_interrupt(self, child: Child, how: signal.Signals) -> None:
        """Send many requests, and the signal when the first of them are answered."""
        before = len(self.look().predictions)
        os.kill(child.pid, signal.SIGSTOP)             # so that none is answered while they are written
        self.send_rows(40_000)
        os.kill(child.pid, signal.SIGCONT)

        def under_way() -> bool:
            self.look_once()
            return len(self.predictions) > before

        until(under_way, START_S, "the first answers")
        os.kill(child.pid, how)

    def all_answered(self) -> bool:
        self.look()
        return set(self.answered) == set(self.sent) == self.in_ledger

    def committed(self) -> dict[int, int]:
        consumer = Consumer({**client_config(self.settings, "tests"), "group.id": f"weir-scorer-{self.name}"})
        try:
            found = consumer.committed([TopicPartition(self.topic, partition) for partition in range(4)], 10)
            return {part.partition: max(0, part.offset) for part in found}
        finally:
            consumer.close()

    @contextmanager
    def worker(self, **variables: object) -> Iterator[Child]:
        """A running `weir worker scorer`; killed at the end if it still runs."""
        environment = {
            "WEIR_SERVICE": self.name, "WEIR_MAX_RECORD_BYTES": str(MAX_BYTES),
            "WEIR_SESSION_TIMEOUT_S": "3",             # a first join is held for half of it, a lost member for all
        }  # fmt: skip
        environment |= {f"WEIR_{name.upper()}": str(value) for name, value in variables.items()}
        command = ["worker", "scorer", "--bundle", str(self.bundle)]
        child = self.stack.spawn(command, f"{self.name}-{uuid4().hex[:4]}", environment)
        try:
            yield child
        finally:
            if child.poll() is None:
                os.kill(child.pid, signal.SIGKILL)
            self.stack.forget(child)


@pytest.fixture(scope="module")
def service(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Service:
    return Service(stack, tmp_path_factory.mktemp("bundle"))


def assert_scored_as_sent(service: Service) -> None:
    """Each prediction belongs to the request at its source offset, and a repeat says the same as the first."""
    first: dict[tuple[int, int], dict] = {}
    for row in service.predictions:
        where = row["source_partition"], row["source_offset"]
        assert service.sent[where] is not None
        same = first.setdefault(where, row)
        assert [row[name] for name in ("prediction_id", "request_id", "score", "features")] == [
            same[name] for name in ("prediction_id", "request_id", "score", "features")
        ]
    for partition in range(4):
        ids = [row["prediction_id"] for row in service.predictions if row["source_partition"] == partition]
        assert len(set(ids)) == len({where for where in first if where[0] == partition})


def test_bad_input_an_end_by_signal_a_crash_and_a_rebalance(service: Service) -> None:
    """One service through three lives of its worker: a start costs seconds."""
    with service.worker(**SMALL) as child:
        check_bad_input(service)
        memory = psutil.Process(child.pid).memory_info().rss
        assert memory < 600 * 2**20
        check_end_by_signal(service, child)
    with service.worker(**SMALL) as child:
        check_rest_is_scored_without_repeats(service)
        check_crash(service, child)
    with service.worker() as child:
        until(service.all_answered, START_S, "every request answered and in the ledger")
        check_second_worker(service, child)
    assert_scored_as_sent(service)
    assert len(service.dead_letters) == 8


def check_bad_input(service: Service) -> None:
    """Eight bad records in a batch of 512: exactly those are dead letters, the other 504 are scored."""
    good = tiny.rows(512)
    values: list[bytes | None] = list(service.encoder.encode(good))
    places = [0, 1, 63, 200, 300, 301, 302, 511]
    bad = tiny.one_of_each(service.encoder, MAX_BYTES)
    for place, record in zip(places, bad, strict=True):
        values[place] = record.value
    service.send(2, values)
    until(service.all_answered, START_S, "512 answers")
    assert set(service.answered.values()) == {1}
    letters = sorted(service.dead_letters, key=lambda row: row["source_offset"])
    assert [(row["source_partition"], row["source_offset"]) for row in letters] == [(2, place) for place in places]
    assert [(row["stage"], row["reason"], row["value"]) for row in letters] == [
        (record.stage, record.reason, record.value) for record in bad
    ]
    assert {(row["source_topic"], row["key"]) for row in letters} == {(service.topic, b"key")}
    kept = [i for i in range(512) if i not in places]
    found = sorted(service.predictions, key=lambda row: row["source_offset"])
    assert [row["source_offset"] for row in found] == kept
    direct = Model(service.bundle).run(tiny.matrix(good)[kept])
    np.testing.assert_array_equal(np.array([row["score"] for row in found], np.float32), direct)
    entries = service.rows["weir.ledger"]
    assert (sum(row["scored"] for row in entries), sum(row["rejected"] for row in entries)) == (504, 8)


def check_end_by_signal(service: Service, child: Child) -> None:
    """SIGTERM under load: what has begun is finished and committed, exit status 0."""
    service.send_and_interrupt(child, signal.SIGTERM)
    assert child.wait(20) == 0
    assert not [line for line in child.log_tail().splitlines() if "Traceback" in line or '"level": "error"' in line]
    service.look()
    committed = service.committed()
    assert service.in_ledger == {(p, offset) for p, end in committed.items() for offset in range(end)}
    assert set(service.answered) == service.in_ledger
    assert len(service.in_ledger) < len(service.sent)


def check_rest_is_scored_without_repeats(service: Service) -> None:
    until(service.all_answered, START_S, "the rest after a clean end")
    assert set(service.answered.values()) == {1}


def check_crash(service: Service, child: Child) -> None:
    service.send_and_interrupt(child, signal.SIGKILL)
    child.wait(10)
    assert len(service.look().answered) < len(service.sent)


def check_second_worker(service: Service, first: Child) -> None:
    """A second worker joins under load and takes over when the first leaves; nothing is lost, nothing repeated."""
    before, entries = set(service.sent), len(service.rows["weir.ledger"])

    def at_work() -> set[str]:
        service.send_rows(400)
        service.look()
        return {row["worker"] for row in service.rows["weir.ledger"][entries:]}

    with service.worker():
        until(lambda: len(at_work()) == 2, START_S, "both workers at work")
        service.send_rows(4000)
        os.kill(first.pid, signal.SIGTERM)
        assert first.wait(20) == 0
        service.send_rows(400)
        until(service.all_answered, START_S, "every request answered by the second")
    assert {times for where, times in service.answered.items() if where not in before} == {1}


def test_a_stream_of_dead_letters_stops_the_worker_and_loses_nothing(stack: Stack, tmp_path: Path) -> None:
    service = Service(stack, tmp_path)
    values: list[bytes | None] = list(service.encoder.encode(tiny.rows(400)))
    values[100::2] = [b"broken"] * 150
    service.send(1, values)
    strict = {"dead_letter_limit": 0.05, "dead_letter_window": 200, "batch_max_rows": 50, "chunk_max_records": 50}
    with service.worker(**strict) as child:
        assert child.wait(START_S) == 1
        last = child.log_tail().splitlines()[-1]
        assert last.startswith("weir: ")
        assert last.startswith("weir: 25 of the last ")
        assert f"records are dead letters, latest 25 bad_frame ({service.topic}, partition 1, offset 100): " in last
        assert "raise WEIR_DEAD_LETTER_LIMIT" in last
        assert "Traceback" not in child.log_tail(200)
    assert service.look().committed() == {0: 0, 1: 100, 2: 0, 3: 0}
    assert service.in_ledger == set(service.answered) == {(1, offset) for offset in range(100)}
    assert service.dead_letters == []                             # nothing of a broken stream is drained away
    with service.worker(dead_letter_limit=0.9):
        until(service.all_answered, START_S, "the rest, under a higher limit")
    assert sorted(row["source_offset"] for row in service.dead_letters) == list(range(100, 400, 2))
    assert set(service.answered.values()) == {1}
    assert_scored_as_sent(service)


def run_and_fail(bundle: str, environment: dict[str, str]) -> str:
    """The one line that a scorer that cannot start writes to stderr."""
    command = [sys.executable, "-m", "app", "worker", "scorer", "--bundle", bundle]
    ended = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (1, b""), ended.stderr
    assert ended.stderr.count(b"\n") == 1, ended.stderr
    return ended.stderr.decode()


def test_a_worker_that_cannot_start_says_why_in_one_line(stack: Stack, service: Service) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    known = stack.environment | {"WEIR_SERVICE": service.name}
    with ThreadPoolExecutor(2) as pool:
        no_broker = pool.submit(run_and_fail, str(service.bundle), known | {"WEIR_BROKERS": nowhere})
        no_bundle = pool.submit(run_and_fail, "absent", known)
    assert no_broker.result() == f"weir: Kafka does not answer ({nowhere}): start the broker or set WEIR_BROKERS\n"
    assert no_bundle.result().startswith("weir: there is no bundle absent (")


def test_whatever_is_missing_is_named_with_a_remedy(stack: Stack, service: Service, tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    other, topicless = Service(stack, tmp_path / "other"), f"tiny-{uuid4().hex[:6]}"
    Registry(service.settings).register(
        subject_of(requests_topic(topicless)), request_contract.build(topicless, SIGNATURE)
    )
    cases: list[tuple[dict[str, object], str]] = [
        ({"registry_url": nowhere}, rf"the schema registry does not answer .*\({nowhere}\): start it or set WEIR_REG"),
        ({"service": topicless}, f"topic {requests_topic(topicless)} does not exist .*: run `weir topics create`"),
        ({"service": "unknown"}, "subject weir.requests.unknown-value is not in the .*: run `weir topics create`"),
        ({"bundle": ""}, "no bundle is named: give --bundle PATH or set WEIR_BUNDLE"),
        ({"bundle": "absent"}, "there is no bundle absent .*: name a folder that `weir bundle build` wrote"),
        ({"service": other.name}, f"bundle tiny-logistic 1 is for service {service.name}, not {other.name} .*: name"),
    ]
    given = service.settings.model_copy(update={"bundle": str(service.bundle)})
    for changes, message in cases:
        with pytest.raises(WeirError, match=message):
            open_parts(given.model_copy(update=changes), Telemetry())
