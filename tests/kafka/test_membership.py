"""Workers with an instance id of their own, on Apache Kafka: one that is started again disturbs no other."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from weir.edges.embedded.leash import Child
from weir.edges.embedded.stack import Stack
from weir.edges.kafka.topics import declared, ensure
from weir.edges.schemas.registry import Registry, publish

from tests.kafka_cluster import Cluster
from tests.service_under_test import Service
from tests.waiting import START_S, WAIT_S, until

pytestmark = pytest.mark.skipif("WEIR_TEST_CHAOS" not in os.environ, reason="takes minutes: `make chaos` runs it")

SESSION_S = 90.0  # longer than a start on a busy machine
EX_CONFIG = 78  # exit status


@pytest.fixture(scope="module")
def on_kafka(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Cluster(tmp_path_factory.mktemp("kafka"), 1) as cluster:
        other = cluster.stack(stack)
        topics = declared(other.settings)
        ensure(other.settings, topics)
        publish(Registry(other.settings.registry), other.settings.paths.schemas_dir, topics)
        yield other


@pytest.fixture
def service(on_kafka: Stack, tmp_path: Path) -> Service:
    return Service(on_kafka, tmp_path)


def metrics(child: Child) -> dict[str, float]:
    """What a worker tells of itself; empty before it has said where."""
    started = [json.loads(line)["health"] for line in child.log_tail(200).splitlines() if '"worker started"' in line]
    if not started:
        return {}
    with urllib.request.urlopen(f"{started[-1]}/metrics", timeout=WAIT_S) as page:
        families = text_string_to_metric_families(page.read().decode())
        return {sample.name: sample.value for family in families for sample in family.samples}


def partitions(child: Child) -> float:
    return metrics(child).get("weir_assigned_partitions", 0)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_comes_back_moves_no_partition(service: Service, how: signal.Signals) -> None:
    def worker(name: str):
        return service.worker(group_instance_id=name, session_timeout_s=SESSION_S)

    with worker("a") as first, worker("b") as second:
        until(lambda: partitions(first) == partitions(second) == 2, START_S, "two partitions each")
        service.send_rows(400)
        until(service.all_answered, START_S, "every request answered")
        before = metrics(second)["weir_rebalances_total"]
        os.kill(first.pid, how)
        first.wait(START_S)
        service.send_rows(400)  # half of them wait for the first to come back
        with worker("a") as again:
            until(service.all_answered, START_S, "every request answered by those two")
            until(lambda: partitions(again) == partitions(second) == 2, WAIT_S, "both to tell of two partitions")
            assert metrics(second)["weir_rebalances_total"] == before
            if how == signal.SIGTERM:
                assert set(service.answered.values()) == {1}
    assert_same_when_repeated(service)


def assert_same_when_repeated(service: Service) -> None:
    """What a replay writes again has the ids that it had, so that nobody counts it twice."""
    ids = {row["prediction_id"] for row in service.predictions}
    assert len(ids) == len(service.sent)


def test_of_two_workers_with_one_id_the_older_ends_and_says_why(service: Service) -> None:
    with service.worker(group_instance_id="a", session_timeout_s=6) as first:
        until(lambda: partitions(first) == 4, START_S, "all partitions")
        with service.worker(group_instance_id="a", session_timeout_s=6) as second:
            assert first.wait(START_S) == EX_CONFIG
            last = first.log_tail().splitlines()[-1]
            assert last.startswith("weir: another worker has joined the group with this instance id: "), last
            assert last.endswith("give each worker a WEIR_GROUP_INSTANCE_ID of its own")
            service.send_rows(400)
            until(service.all_answered, START_S, "every request answered by the second")
            until(lambda: partitions(second) == 4, WAIT_S, "the second to tell of all partitions")
    assert_same_when_repeated(service)
