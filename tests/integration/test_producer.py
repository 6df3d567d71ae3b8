"""The producer against a real broker: order kept, and no failed delivery passes for a good one."""

from __future__ import annotations

from uuid import uuid4

import pyarrow as pa
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from weir.core.chunk import Partition
from weir.core.errors import Refused, Unavailable
from weir.edges.embedded.stack import Stack
from weir.edges.kafka.admin import bounds
from weir.edges.kafka.client import client_config
from weir.edges.kafka.producer import REQUEST_BYTES, Producer
from weir.settings import Settings

from tests import new_topics
from tests.ports import free_port
from tests.waiting import WAIT_S


@pytest.fixture(scope="module")
def settings(stack: Stack) -> Settings:
    return stack.settings


@pytest.fixture(scope="module")
def topic(settings: Settings) -> str:
    name = f"producer-{uuid4().hex[:8]}"
    new_topics.make(AdminClient(client_config(settings.kafka, "tests")), name, partitions=2)
    return name


@pytest.fixture
def producer(settings: Settings):
    made = Producer(settings.kafka, "tests")
    yield made
    made.close()


def values_of(settings: Settings, topic: str, partition: int, count: int, first: int = 0) -> list[bytes]:
    consumer = Consumer(
        {**client_config(settings.kafka, "tests"), "group.id": "tests", "auto.offset.reset": "earliest"}
    )
    try:
        consumer.assign([TopicPartition(topic, partition, first)])
        found: list[bytes] = []
        while len(found) < count:
            messages = consumer.consume(count, WAIT_S)
            assert messages, f"{len(found)} of {count} records"
            found += [message.value() for message in messages]
        return found
    finally:
        consumer.close()


def test_values_arrive_in_order_in_the_partition_that_was_asked_for(
    settings: Settings, topic: str, producer: Producer
) -> None:
    batches = [[f"{batch}-{i}".encode() for i in range(2500)] for batch in range(4)]
    for values in batches:
        producer.write(topic, 1, values)
    producer.flush()
    assert values_of(settings, topic, 1, 10_000) == [value for values in batches for value in values]


def write_all(producer: Producer, topic: str, partition: int, values: list[bytes]) -> None:
    producer.write(topic, partition, values)
    producer.flush()


def test_a_partition_that_does_not_exist_is_a_failure_not_a_silence(producer: Producer, topic: str) -> None:
    producer.write(topic, 0, [b"good"])
    with pytest.raises(Refused, match=r"does not exist: \d records were not delivered: .*[Pp]artition"):
        write_all(producer, topic, 9, [b"nowhere"] * 3)


def test_a_record_larger_than_any_is_refused_by_name(producer: Producer, topic: str) -> None:
    with pytest.raises(Refused, match=f"larger than .*: {topic}: .*Message size too large"):
        write_all(producer, topic, 0, [b"good", b"x" * (9 * 1024 * 1024)])


def test_values_of_several_requests_arrive_in_order(settings: Settings, topic: str, producer: Producer) -> None:
    producer.write(topic, 0, [b"before"])
    producer.flush()
    _, end = bounds(settings.kafka, topic)[Partition(topic, 0)]
    sizes = [REQUEST_BYTES + 1, 10, REQUEST_BYTES // 2, REQUEST_BYTES // 2, 0, REQUEST_BYTES // 3, 1]
    values = [b"%d " % i + b"x" * size for i, size in enumerate(sizes)]
    producer.write(topic, 0, values[:3])
    producer.write(topic, 0, pa.array([b"not written", *values[3:], b"nor this"], pa.binary())[1:-1])
    producer.flush()
    assert values_of(settings, topic, 0, len(values), end) == values


def test_an_unreachable_broker_ends_the_budget(settings: Settings) -> None:
    nobody = settings.having(brokers=f"127.0.0.1:{free_port()}", sink_budget_s=0.5)
    producer = Producer(nobody.kafka, "tests")
    with pytest.raises(Unavailable, match=rf"7 records were not delivered: .* \({nobody.kafka.brokers}\)"):
        write_all(producer, "anything", 0, [b"lost?"] * 7)
