"""Topics made anew, and two databases on one cluster: nothing is taken for a repeat, and every ledger is complete."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from weir.edges.clickhouse import ledger, migrations
from weir.edges.clickhouse.client import connect
from weir.edges.embedded.leash import Child
from weir.edges.embedded.stack import Stack
from weir.edges.kafka.client import client_config
from weir.edges.kafka.logs import bounds_of
from weir.edges.kafka.topics import declared, ensure
from weir.edges.schemas.registry import Registry, publish
from weir.settings import Settings, load

from tests import new_topics
from tests import tiny_requests as tiny
from tests.service_under_test import Tiny
from tests.waiting import START_S, WAIT_S, until

pytestmark = pytest.mark.one_broker("kafka")

HURRY = {"WEIR_SESSION_TIMEOUT_S": "3", "WEIR_BLOCK_MAX_WAIT_S": "0.2", "WEIR_COMMIT_INTERVAL_S": "0.5"}


class World:
    """A stack with two databases, a scorer and a recorder for each database."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack, self.settings = stack, stack.settings
        self.other = self.settings.having(clickhouse_database="other")
        topics = declared(self.settings)
        publish(Registry(self.settings.registry), self.settings.paths.schemas_dir, topics)
        ensure(self.settings, topics)
        for settings in (self.settings, self.other):
            migrations.apply(settings.recording)
        self.service, self.made = Tiny(stack, folder), 0
        self.admin = AdminClient(client_config(self.settings.kafka, "tests"))

    def recorder(self, settings: Settings) -> Child:
        database = settings.recording.clickhouse_database
        return self.stack.spawn(
            ["worker", "recorder"], f"recorder-{database}", HURRY | {"WEIR_CLICKHOUSE_DATABASE": database}
        )

    def end(self, *workers: Child) -> None:
        for worker in workers:
            os.kill(worker.pid, signal.SIGTERM)
            assert worker.wait(WAIT_S) == 0
            self.stack.forget(worker)

    def send(self, count: int) -> None:
        producer = Producer(client_config(self.settings.kafka, "tests"))
        for number, value in enumerate(self.service.encoder.encode(tiny.rows(count, first=self.made))):
            producer.produce(self.service.topic, value, partition=number % 4)
        self.made += count
        assert producer.flush(WAIT_S) == 0

    def is_whole(self, settings: Settings, logs: int) -> Callable[[], bool]:
        """Whether everything that was ever sent is recorded once, and each of so many logs has a complete ledger."""

        def whole() -> bool:
            self.stack.check()
            client = connect(settings.recording)
            found = "SELECT count(), uniqExact(prediction_id), uniqExact(source_log) FROM predictions"
            if client.query(found).first_row != (self.made, self.made, logs):
                return False
            report = ledger.read(client, self.service.name, bounds_of(settings.kafka, self.service.topic))
            return report.complete and report.read == self.made

        return whole


@pytest.mark.timeout(1200)
def test_every_log_is_recorded_once_in_every_database(tmp_path: Path, broker: dict[str, Any]) -> None:
    if broker["embedded_broker"] != "kafka":
        pytest.skip("librdkafka does not outlive a topic made anew on the embedded broker")
    given = load(home=tmp_path / "home", bundles_dir=tmp_path / "bundles", **broker)
    with Stack(given) as stack:
        world = World(stack, tmp_path)
        recorder, scorer = world.recorder(world.settings), world.service.spawn(HURRY)
        world.recorder(world.other)

        def all_recorded(logs: int, when: str) -> None:
            for settings in (world.settings, world.other):
                database = settings.recording.clickhouse_database
                until(world.is_whole(settings, logs), START_S, f"all to be recorded in {database}, {when}")

        world.send(100)
        all_recorded(1, "at first")
        new_topics.make_anew(world.admin, world.service.topic, partitions=4)
        world.send(150)
        all_recorded(2, "after the requests were made anew under running workers")
        world.end(scorer)
        new_topics.make_anew(world.admin, world.service.topic, partitions=4)
        world.send(60)
        scorer = world.service.spawn(HURRY)
        all_recorded(3, "after the requests were made anew while the scorer was away")
        world.end(scorer, recorder)
        new_topics.make_anew(world.admin, world.settings.kafka.names.predictions, partitions=4)
        world.service.spawn(HURRY)
        world.send(50)
        world.recorder(world.settings)
        all_recorded(3, "after the predictions were made anew while one recorder was away")
        world.send(100)
        all_recorded(3, "and later")
