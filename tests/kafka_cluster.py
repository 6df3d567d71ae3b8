"""Apache Kafka for tests: a cluster of KRaft nodes on this machine, whose nodes can be killed and started again."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, PartitionMetadata
from weir.core.errors import Unavailable
from weir.edges.embedded import kafka_jars, kafka_node, leash
from weir.edges.embedded.service import HOST, free_port
from weir.settings import ROOT, Settings, load

from tests import java
from tests.waiting import START_S, WAIT_S, until

if TYPE_CHECKING:
    from weir.edges.embedded.stack import Stack

HEAP_MIB = 256  # three of them beside everything else
STOP_S = 60.0
LIBS = (ROOT if (ROOT / "Makefile").exists() else Path.cwd()) / ".weir/kafka/libs"  # cwd: an installed Weir is tested

# A node that is gone shall be missed within seconds, and leadership shall move only when a test moves it.
QUICK = {
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "controller.quorum.fetch.timeout.ms": "2000",
    "replica.lag.time.max.ms": "3000",
    "auto.leader.rebalance.enable": "false",
    "num.network.threads": "2",
    "num.io.threads": "4",
}


@cache
def find_kafka() -> Path:
    """Where Kafka's jars are, fetched the first time. Raises Unavailable where Java or they cannot be had."""
    kafka_node.find_java()
    kafka_jars.fetch(LIBS, load().embedded.kafka_jars_url)
    java.make_cache(LIBS)
    return LIBS


def kafka_libs() -> Path:
    """The same; skips the test, with the reason, where Java or they cannot be had."""
    try:
        return find_kafka()
    except Unavailable as error:
        pytest.skip(str(error))


class Cluster:
    """A running cluster of `nodes` nodes, numbered from 1; ended on exit, and when this process dies in any way.

    Every topic has a copy on each node unless it says otherwise; with three nodes a write needs two of them
    (min.insync.replicas).

    directory: for logs and storage. properties: added to each node's. format_options: of Kafka's storage tool.
    client_protocol: of the listener for clients; nodes talk among themselves in plain text on 127.0.0.1.
    admin: librdkafka configuration that this class connects with, beside the addresses.
    """

    def __init__(
        self,
        directory: Path,
        nodes: int = 3,
        *,
        properties: Mapping[str, str] | None = None,
        client_protocol: str = "PLAINTEXT",
        format_options: tuple[str, ...] = (),
        admin: Mapping[str, str] | None = None,
    ) -> None:
        self.nodes = tuple(range(1, nodes + 1))
        self._directory, self._format_options = directory, format_options
        self._ports = {node: (free_port(), free_port(), free_port()) for node in self.nodes}
        self._given, self._protocol = dict(properties or {}), client_protocol
        self._admin_config = {"log_level": 0, **(admin or {}), "bootstrap.servers": self.brokers}
        self._commands: dict[int, tuple[str, ...]] = {}
        self._running: dict[int, leash.Child] = {}

    def __enter__(self) -> Self:
        try:
            libs, cluster = kafka_libs(), kafka_node.new_cluster_id()
            for node in self.nodes:
                folder = self._directory / f"node-{node}"
                self._commands[node] = kafka_node.program(libs, folder, self._properties(node), HEAP_MIB)
            with ThreadPoolExecutor() as pool:
                list(
                    pool.map(
                        lambda command: kafka_node.format_storage(command, cluster, *self._format_options),
                        self._commands.values(),
                    )
                )
            for node in self.nodes:
                self._begin(node)
            self._until_members(set(self.nodes))
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all nodes; they are not needed any more, so none is waited for longer than a kill takes."""
        for child in self._running.values():
            if child.poll() is None:
                os.kill(child.pid, signal.SIGKILL)
        for child in self._running.values():
            child.stop()
        self._running.clear()

    @property
    def brokers(self) -> str:
        """Addresses of all nodes, running or not, as librdkafka wants them."""
        return ",".join(f"{HOST}:{client}" for client, _, _ in self._ports.values())

    @property
    def running(self) -> tuple[int, ...]:
        """Nodes that were started and neither stopped nor killed."""
        return tuple(sorted(self._running))

    def pid(self, node: int) -> int:
        """Of its Java process, for signals of a test's own such as SIGSTOP."""
        return self._running[node].pid

    def kill(self, node: int) -> None:
        """SIGKILL; returns when the process is gone. The cluster misses it after some three seconds."""
        child = self._running.pop(node)
        os.kill(child.pid, signal.SIGKILL)
        child.wait(STOP_S)

    def stop(self, node: int) -> None:
        """SIGTERM: the node hands its leadership over and closes its log; returns when it is gone."""
        child = self._running.pop(node)
        child.let_go()
        child.wait(STOP_S)

    def start(self, node: int) -> None:
        """Start a node again, with its log, under its address; returns when the cluster counts it as a member."""
        self._begin(node)
        self._until_members({node})

    def leaders(self, topic: str) -> dict[int, int]:
        """The node that leads each partition; -1 for one without a leader."""
        return {number: part.leader for number, part in self._partitions(topic).items()}

    def in_sync(self, topic: str) -> dict[int, set[int]]:
        """The nodes whose copy of each partition is complete."""
        return {number: set(part.isrs) for number, part in self._partitions(topic).items()}

    def until_in_sync(self, topic: str) -> None:
        """Wait until every running node has a complete copy of every partition: the next one may be taken away."""
        members = set(self._running)

        def complete() -> bool:
            found = self.in_sync(topic).values()
            return bool(found) and all(nodes >= members for nodes in found)

        until(complete, START_S, f"copies of {topic}")

    def stack(self, stack: Stack) -> Stack:
        """The same running stack, with this cluster as the broker of whatever it spawns."""
        other = copy(stack)  # its children stay those of the stack, which ends them
        other.settings = self.settings(stack.settings)
        return other

    def settings(self, settings: Settings) -> Settings:
        """`settings` with this cluster as the broker."""
        return settings.having(brokers=self.brokers)

    def _partitions(self, topic: str) -> dict[int, PartitionMetadata]:
        """What all running nodes say, once they say the same: one hears of a change later than another."""

        def agreed() -> dict[int, PartitionMetadata] | None:
            told = [self._told(topic, node) for node in self._running]
            alike = {frozenset((n, part.leader, *sorted(part.isrs)) for n, part in one.items()) for one in told}
            return told[0] if len(alike) == 1 else None

        return until(agreed, START_S, f"the nodes to say the same of {topic}")

    def _told(self, topic: str, node: int) -> dict[int, PartitionMetadata]:
        """By one node; nothing of a topic of which it has not heard."""
        asked = AdminClient(self._admin_config | {"bootstrap.servers": f"{HOST}:{self._ports[node][0]}"})
        found = asked.list_topics(topic, timeout=WAIT_S).topics[topic]
        passing = (KafkaError.LEADER_NOT_AVAILABLE, KafkaError.UNKNOWN_TOPIC_OR_PART)
        if found.error is not None and found.error.code() not in passing:
            raise KafkaException(found.error)
        return found.partitions

    def _begin(self, node: int) -> None:
        log = self._directory / "logs" / f"node-{node}.log"
        self._running[node] = leash.start(f"kafka-{node}", self._commands[node], log=log, grace_s=STOP_S)

    def _until_members(self, wanted: set[int]) -> None:
        until(lambda: self._members() >= wanted, START_S, f"nodes {sorted(wanted)} to be members of the cluster")

    def _members(self) -> set[int]:
        """Nodes that the cluster counts as alive, when all that run answer; a node that died is an error."""
        seen = []
        for node, child in self._running.items():
            child.check()
            try:
                address = f"{HOST}:{self._ports[node][0]}"
                asked = AdminClient(self._admin_config | {"bootstrap.servers": address})
                seen.append(set(asked.list_topics(timeout=2).brokers))
            except KafkaException:
                return set()
        return set.intersection(*seen)

    def _properties(self, node: int) -> dict[str, str]:
        client, inner, controller = (f"{HOST}:{port}" for port in self._ports[node])
        voters = ",".join(f"{other}@{HOST}:{self._ports[other][2]}" for other in self.nodes)
        return (
            kafka_node.COMMON
            | kafka_node.copies(len(self.nodes))
            | QUICK
            | {
                "node.id": str(node),
                "controller.quorum.voters": voters,
                "listeners": f"CLIENT://{client},INNER://{inner},CONTROLLER://{controller}",
                "advertised.listeners": f"CLIENT://{client},INNER://{inner}",
                "listener.security.protocol.map": f"CLIENT:{self._protocol},INNER:PLAINTEXT,CONTROLLER:PLAINTEXT",
                "inter.broker.listener.name": "INNER",
                "log.dirs": str(self._directory / f"node-{node}" / "data"),
            }
            | self._given
        )
