"""Answers to commits that come when their topic has been made anew."""

from __future__ import annotations

import pytest
from weir.core.chunk import Partition
from weir.edges.kafka.client import consumer_config
from weir.edges.kafka.librdkafka.consumer import Consumer
from weir.edges.kafka.librdkafka.partitions import Partitions
from weir.settings import load

from tests.ports import free_port

SOURCES = [Partition("t", number) for number in range(2)]


@pytest.mark.parametrize(
    ("note", "told"), [("log-1", {}), ("log-2", dict.fromkeys(SOURCES, 100)), ("", dict.fromkeys(SOURCES, 100))]
)
def test_offsets_of_the_log_before_are_not_taken_for_those_of_this_one(note: str, told: dict[Partition, int]) -> None:
    """The new log is committed from its beginning, and might never come as far."""
    consumer = Consumer(consumer_config(load(brokers=f"127.0.0.1:{free_port()}").kafka, "group"), lambda error: None)
    try:
        seen: list[dict[Partition, int]] = []
        consumer._on_commit = lambda answers: seen.append({source: offset for source, (offset, _) in answers.items()})
        consumer.logs = {"t": "log-2"}
        with Partitions(dict.fromkeys(SOURCES, 100), {"t": note} if note else None) as answered:
            consumer._on_committed(0, 0, answered, 0)
        assert seen == [told]
    finally:
        consumer.close()
