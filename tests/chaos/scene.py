"""One stage for faults: a stack, a scoring service on it, workers, and load; and when everything has come to rest."""

from __future__ import annotations

import os
import random
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from clickhouse_connect.driver import Client
from confluent_kafka import KafkaException
from prometheus_client.parser import text_string_to_metric_families
from weir.core.errors import Refused, Unavailable
from weir.core.signature import Signature
from weir.edges.clickhouse import migrations
from weir.edges.clickhouse.client import answering, connect
from weir.edges.embedded.leash import Child
from weir.edges.kafka.admin import bounds
from weir.edges.kafka.topics import declared, ensure
from weir.edges.schemas.registry import Registry, publish
from weir.settings import Settings, load

from tests.bundles import SIGNATURE, tiny_bundle
from tests.chaos import rollups
from tests.chaos.load import Load
from tests.chaos.stack import ChaosStack
from tests.chaos.truth import Truth
from tests.chaos.verdict import Verdict, judge
from tests.group_offsets import committed_by
from tests.kafka_cluster import Cluster
from tests.ports import free_port
from tests.service_under_test import Tiny
from tests.waiting import WAIT_S, until

VARIANTS = "champion", "challenger"  # the same bundle under two names: which of them answers is left to chance
SHADOW = "beside"
PATIENT = {"sink_budget_s": 600, "redrive_settle_s": 1200}
BACK_S = 120.0  # from a fault's end until all is answered, on two busy cores; longer counts as not recovered
LOOK_S = 0.2  # between two looks; a recovery time is this much too long at most
# So that every wait of the product is short beside a fault; the session time-out decides when the partitions of a lost
# member are dealt out again.
# Fetches wait longer than the embedded stack has them, since ten times the fetches would only heat the machine.
HURRY = {"session_timeout_s": 3, "commit_interval_s": 0.5, "block_max_wait_s": 0.2, "fetch_wait_max_ms": 250}
ANSWERED = """
    SELECT source_partition, uniqExact(source_offset) FROM
    (
        SELECT source_partition, source_offset FROM predictions WHERE source_topic = {topic:String}
        UNION ALL
        SELECT source_partition, source_offset FROM dead_letters WHERE source_topic = {topic:String}
    )
    WHERE source_offset < {ends:Array(Int64)}[source_partition + 1] GROUP BY source_partition
"""


@dataclass
class Scene:
    """What a fault acts upon. chance: the only source of randomness. Workers go by names that the fault chooses."""

    stack: ChaosStack
    service: Tiny
    truth: Truth
    load: Load
    chance: random.Random
    children: dict[str, Child] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)  # of every worker, beside settings
    cluster: Cluster | None = None
    back_s: float = BACK_S
    _client: Client | None = None
    _scorers: int = 0

    @property
    def client(self) -> Client:
        """A client of this scene's ClickHouse. Raises Unavailable."""
        self._client = self._client or connect(self.service.settings.recording, timeout_s=60)
        return self._client

    # ---- workers

    def scorer(self, name: str = "scorer", **variables: object) -> Child:
        """Start a scorer, each as another of two variants than the one before it. variables: settings by name."""
        given = HURRY | self._page(name) | {"variant": VARIANTS[self._scorers % len(VARIANTS)]} | variables
        self._scorers += 1
        return self._born(name, self.service.spawn(self.environment, **given))

    def scorers(self, **variables: object) -> None:
        """Start one of each variant, `scorer` and `rival`; they share the partitions."""
        self.scorer("scorer", **variables)
        self.scorer("rival", **variables)

    def shadow(self) -> Child:
        """Start a shadow. Nobody waits for it, so it outlives what its broker does meanwhile."""
        given = HURRY | self._page(SHADOW) | PATIENT | {"bundles_dir": self.service.bundle.parent}
        environment = {f"WEIR_{key.upper()}": str(value) for key, value in given.items()} | self.environment
        command = ["worker", "shadow", "--bundle", str(self.service.bundle), "--variant", SHADOW]
        return self._born(SHADOW, self.stack.spawn(command, SHADOW, environment))

    def recorder(self, name: str = "recorder", **variables: object) -> Child:
        """Start a recorder."""
        given = HURRY | self._page(name) | {"bundles_dir": self.service.bundle.parent} | variables
        environment = {f"WEIR_{key.upper()}": str(value) for key, value in given.items()}
        environment |= {"WEIR_SERVICE": self.service.name, **self.environment}
        return self._born(name, self.stack.spawn(["worker", "recorder"], f"{name}-{len(self.pages)}", environment))

    def _page(self, name: str) -> dict[str, object]:
        port = free_port()
        self.pages[name] = f"http://127.0.0.1:{port}"
        return {"http_port": port}

    def _born(self, name: str, child: Child) -> Child:
        assert name not in self.children, f"{name} runs"
        self.children[name] = child
        return child

    def kill(self, name: str) -> None:
        """SIGKILL, and wait until it is gone."""
        child = self.children.pop(name)
        if child.poll() is None:
            os.kill(child.pid, signal.SIGKILL)
        self.stack.forget(child)

    def end(self, name: str) -> tuple[int, float]:
        """SIGTERM; exit status, and how many seconds it took."""
        child = self.children.pop(name)
        began = time.monotonic()
        os.kill(child.pid, signal.SIGTERM)
        status = child.wait(self.back_s)
        took_s = time.monotonic() - began
        self.stack.forget(child)
        return status, took_s

    def ended(self, name: str, seconds: float | None = None) -> int:
        """Wait for a worker that ends by itself; its exit status."""
        child = self.children.pop(name)
        status = child.wait(self.back_s if seconds is None else seconds)
        self.stack.forget(child)
        return status

    def ready(self, name: str) -> bool:
        return self.page(name, "ready") == 200

    def page(self, name: str, path: str, seconds: float = 1.0) -> int:
        """HTTP status of a worker's page; 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"{self.pages[name]}/{path}", timeout=seconds) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def assigned(self, name: str) -> int:
        """Partitions that a worker says it reads, by its metrics page."""
        with urllib.request.urlopen(f"{self.pages[name]}/metrics", timeout=WAIT_S) as answer:
            families = text_string_to_metric_families(answer.read().decode())
            return sum(int(s.value) for f in families for s in f.samples if s.name == "weir_assigned_partitions")

    def until_ready(self, *names: str) -> None:
        until(lambda: self.alive() and all(map(self.ready, names)), self.back_s, f"{', '.join(names)} to be ready")

    def alive(self) -> bool:
        """True; AssertionError when a worker has ended by itself."""
        for name, child in self.children.items():
            assert child.poll() is None, f"{name} ended with status {child.poll()}: {child.log_tail(1)}"
        return True

    # ---- progress

    def answered(self, ends: dict[int, int]) -> bool:
        """Whether ClickHouse holds an answer to every request below these offsets, by partition."""
        parameters = {"topic": self.service.topic, "ends": [ends[p] for p in sorted(ends)]}
        try:
            with answering(self.service.settings.recording.clickhouse_url):
                found = dict(self.client.query(ANSWERED, parameters=parameters).result_rows)
        except Unavailable:
            self._client = None
            return False
        return all(found.get(partition, 0) >= end for partition, end in ends.items())

    def recovered(self) -> float:
        """Seconds from now until ClickHouse holds an answer to every request that the broker has taken before now."""
        ends, began = self.load.ends, time.monotonic()
        self.until_answered(ends)
        return time.monotonic() - began

    def until_answered(self, ends: dict[int, int]) -> None:
        """Looks seldom: each look is a query, and the machine has better things to do."""
        until(
            lambda: self.alive() and self.answered(ends), self.back_s, f"answers to every request below {ends}", LOOK_S
        )

    def under_way(self, more: int = 200) -> None:
        """Wait until this many further requests were answered: the workers are at work."""
        ends = {partition: end + more // 4 for partition, end in self.load.ends.items()}
        until(lambda: all(self.load.ends[p] >= end for p, end in ends.items()), self.back_s, "the load to go on")
        self.until_answered(ends)

    def under_load(self, rate: float, more: int = 200) -> None:
        """Send so many requests a second from when all workers are ready on; returns when they are at work."""
        self.until_ready(*self.children)
        self.load.rate = rate
        self.under_way(more)

    def at_work(self, rate: float) -> None:
        """Scorers and a recorder that are ready, and so many requests a second from then on."""
        self.scorers()
        self.recorder()
        self.until_ready("scorer", "rival", "recorder")
        self.load.rate = rate

    def pause(self, low_s: float, high_s: float) -> None:
        """A stretch of time left to chance: where in its work something dies."""
        time.sleep(self.chance.uniform(low_s, high_s))

    # ---- rest

    @property
    def recorded(self) -> tuple[str, tuple[str, ...]]:
        """The recorder's group, and what it reads."""
        names, database = self.service.settings.kafka.names, self.service.settings.recording.clickhouse_database
        answers = names.predictions, names.shadows, names.dead_letters
        return names.recorder(database), (*answers, names.ledger, names.batches, names.bundles, names.outcomes)

    def settle(self) -> None:
        """Stop the load and wait until all groups have committed everything there is to read."""
        self.load.rate = 0.0
        self.load.flush()
        names = self.service.settings.kafka.names
        scorers = names.scorers(self.service.name), (self.service.topic,)
        shadows = names.shadow(self.service.name, SHADOW), (names.predictions,)
        beside = [shadows] if SHADOW in self.children else []
        for group, topics in (scorers, *beside, self.recorded):
            until(partial(self._whole, group, topics), self.back_s, f"{group} to read everything")

    def _whole(self, group: str, topics: tuple[str, ...]) -> bool:
        return self.lag(group, topics) == 0

    def lag(self, group: str, topics: tuple[str, ...]) -> int:
        """Records between a group's committed offsets and the ends of its topics."""
        settings = self.service.settings
        ends = {source: bound for topic in topics for source, bound in bounds(settings.kafka, topic).items()}
        with committed_by(settings, group) as committed:
            try:
                held = committed(ends)
            except KafkaException:
                return -1
        return sum(end - max(first, held.get(source, 0)) for source, (first, end) in ends.items())


def plain(folder: Path, service: str) -> Path:
    return tiny_bundle(folder, service=service)


@contextmanager
def scene(home: Path, seed: int, fault: Fault) -> Iterator[Scene]:
    """A scene in a directory of its own, as a fault wants it."""
    given = (fault.settings or load()).having(home=home / "home", bundles_dir=home / "bundles")
    with ExitStack() as held:
        stack = held.enter_context(ChaosStack(given))
        cluster = held.enter_context(fault.cluster(home)) if fault.cluster else None
        if cluster is not None:  # instead of the stack's own broker, which nobody asks then
            stack.settings = cluster.settings(stack.settings)
        topics = declared(stack.settings)
        publish(Registry(stack.settings.registry), stack.settings.paths.schemas_dir, topics)
        ensure(stack.settings, topics)
        migrations.apply(stack.settings.recording)
        rollups.make_own(connect(stack.settings.recording))
        chance, truth = random.Random(seed), Truth(signature=fault.signature)
        service = Tiny(stack, home, bundle_of=fault.bundle, signature=fault.signature)
        sender = Load(service, truth, chance, **fault.load)
        held.callback(sender.close)
        yield Scene(stack, service, truth, sender, chance, cluster=cluster, back_s=fault.back_s)


@dataclass(frozen=True)
class Fault:
    """One fault. act: on a scene; rounds -> recovery time of each round, seconds.

    quick, full: rounds. settings: of the stack. load: see Load. missing: why it cannot run here, or "".
    cluster: makes one that takes the place of the stack's broker. bundle, signature: see Tiny. back_s: longest wait.
    """

    group: int
    name: str
    act: Callable[[Scene, int], list[float]]
    quick: int = 1
    full: int = 5
    settings: Settings | None = None
    load: dict[str, float] = field(default_factory=dict)
    missing: Callable[[], str] = lambda: ""
    cluster: Callable[[Path], Cluster] | None = None
    bundle: Callable[[Path, str], Path] = plain
    signature: Signature = SIGNATURE
    back_s: float = BACK_S


def run(fault: Fault, rounds: int, home: Path, seed: int) -> Verdict:
    """Bring a fault about, wait for rest, compare everything with the truth. Never raises for what the product does."""
    verdict = Verdict(group=fault.group, fault=fault.name, rounds=rounds, seed=seed)
    began = time.monotonic()
    with scene(home, seed, fault) as stage:
        try:
            stage.shadow()
            verdict.recovery_s = fault.act(stage, rounds)
            stage.settle()
        except (AssertionError, Unavailable, Refused) as error:
            verdict.problems.append(f"{error} ({_tails(stage)})")
        else:
            judge(verdict, stage.service, stage.client, stage.truth, shadow=SHADOW)
            if set(verdict.by_variant) != set(VARIANTS):
                verdict.problems.append(f"{VARIANTS} were to answer, and these did: {list(verdict.by_variant)}")
        verdict.notes = stage.notes
    verdict.seconds = time.monotonic() - began
    return verdict


def _tails(stage: Scene) -> str:
    """The last line of each worker's log."""
    return "; ".join(f"{name}: {child.log_tail(1)}" for name, child in stage.children.items())
