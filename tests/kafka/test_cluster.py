"""The cluster that tests run: what is acknowledged by two of three nodes survives the third."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from weir.edges.kafka.admin import bounds
from weir.edges.kafka.producer import Producer
from weir.edges.kafka.topics import declared, ensure
from weir.settings import Settings, load

from tests.integration.test_leash import gone
from tests.kafka_cluster import Cluster
from tests.waiting import WAIT_S, until

TOPIC = "weir.predictions"
pytestmark = pytest.mark.skipif("WEIR_TEST_CHAOS" not in os.environ, reason="takes minutes: `make chaos` runs it")


def write(settings: Settings, records: int) -> None:
    producer = Producer(settings.kafka, "tests")
    for partition in range(4):
        producer.write(TOPIC, partition, [b"x" * 100] * (records // 4))
    producer.flush()


def test_what_is_acknowledged_survives_nodes_that_are_killed_stopped_and_started(tmp_path: Path) -> None:
    with Cluster(tmp_path) as cluster:
        settings = cluster.settings(load(home=tmp_path))
        ensure(settings, declared(settings))
        cluster.until_in_sync(TOPIC)
        assert set(cluster.in_sync(TOPIC)[0]) == {1, 2, 3}
        write(settings, 4000)
        lost = cluster.leaders(TOPIC)[0]
        cluster.kill(lost)
        write(settings, 4000)  # waits for the new leaders
        assert lost not in cluster.leaders(TOPIC).values()
        cluster.start(lost)
        cluster.until_in_sync(TOPIC)
        other = cluster.leaders(TOPIC)[0]
        cluster.stop(other)
        write(settings, 4000)
        until(lambda: other not in cluster.leaders(TOPIC).values(), WAIT_S, "new leaders")
        assert {end for _, end in bounds(settings.kafka, TOPIC).values()} == {3000}
        assert len(cluster.running) == 2
        pids = [cluster.pid(node) for node in cluster.running]
    assert gone(*pids)
