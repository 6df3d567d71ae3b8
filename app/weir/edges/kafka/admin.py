"""What Kafka says of its topics: partitions and offsets."""

from __future__ import annotations

import time
from functools import partial

from confluent_kafka import Consumer, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the package re-exports it without saying so
    AdminClient,
    ClusterMetadata,
)

from weir.core.chunk import Partition
from weir.core.errors import Refused, Unavailable
from weir.edges.kafka.client import client_config
from weir.edges.kafka.errors import NO_RIGHT, Refusal, error_of, patiently, unavailable
from weir.settings import KafkaSettings

LOOK_S = 0.5  # one look at whether the brokers answer, or turn us away
REACH_S = 10.0  # a healthy cluster answers a metadata request in milliseconds; ten seconds cover a leader election


def metadata(settings: KafkaSettings, timeout_s: float = REACH_S) -> tuple[AdminClient, ClusterMetadata]:
    """An admin client, and what it is told of brokers and topics.

    Raises:
        Refused: a file or value of the Kafka settings cannot be used.
        Unavailable: the brokers do not answer, or turn this client away.
    """
    refusal = Refusal()
    try:
        admin = AdminClient(client_config(settings, "weir-admin") | {"error_cb": refusal})
    except KafkaException as error:
        raise Refused(
            f"librdkafka cannot use the Kafka settings: {error_of(error).str()}",
            where=settings.brokers,
            remedy="correct the WEIR_KAFKA_ settings",
        ) from error
    deadline_s = time.monotonic() + timeout_s
    while True:
        try:
            return admin, admin.list_topics(timeout=LOOK_S)
        except KafkaException as error:
            admin.poll(0)  # why, if the brokers have said so
            refusal.check(settings.brokers)
            if time.monotonic() > deadline_s:
                raise Unavailable(
                    "Kafka does not answer", where=settings.brokers, remedy="start the broker or set WEIR_BROKERS"
                ) from error


def partitions_of(settings: KafkaSettings, topic: str, timeout_s: float = REACH_S) -> int:
    """Number of partitions of a topic.

    Raises:
        Refused: a file or value of the Kafka settings cannot be used.
        Unavailable: the brokers do not answer, the topic does not exist, or this user may not see it.
    """
    admin, cluster = metadata(settings, timeout_s)
    found = cluster.topics.get(topic)
    if found is None or found.error is not None or not found.partitions:
        _check_right(settings, admin, topic)
        raise Unavailable(f"topic {topic} does not exist", where=settings.brokers, remedy="run `weir topics create`")
    return len(found.partitions)


def _check_right(settings: KafkaSettings, admin: AdminClient, topic: str) -> None:
    """Raises Unavailable when this user may not see the topic: the list of topics then lacks it without a word."""
    try:
        admin.describe_topics(TopicCollection([topic]), request_timeout=REACH_S)[topic].result()
    except KafkaException as error:
        if error_of(error).code() in NO_RIGHT:
            raise unavailable(error_of(error), settings.brokers, topic) from error


def bounds(settings: KafkaSettings, topic: str) -> dict[Partition, tuple[int, int]]:
    """First offset and end (last + 1) of every partition of a topic.

    The end is taken from a fetch of the last records: the embedded broker's other answer is the base of its last batch.
    Raises Unavailable.
    """
    partitions = [TopicPartition(topic, number) for number in range(partitions_of(settings, topic))]
    config = client_config(settings, "weir-bounds") | {"group.id": "weir-bounds"}  # asks only; joins no group
    consumer = Consumer(config)
    try:
        asked = {
            part.partition: patiently(partial(consumer.get_watermark_offsets, part, REACH_S), REACH_S)
            for part in partitions
        }
        waiting = {number: end - 1 for number, (begin, end) in asked.items() if end > begin}
        consumer.assign([TopicPartition(topic, number, offset) for number, offset in waiting.items()])
        deadline_s = time.monotonic() + REACH_S
        while waiting and time.monotonic() < deadline_s:
            consumer.poll(0.02)  # the record does not matter: every answer carries the end
            for number in list(waiting):
                begin, end = asked[number]
                seen = consumer.get_watermark_offsets(TopicPartition(topic, number), cached=True)[1]
                if seen >= end:
                    asked[number] = (begin, seen)
                    del waiting[number]
        if waiting:
            raise Unavailable(
                f"Kafka does not tell the end of {topic}, partitions {sorted(waiting)}",
                where=settings.brokers,
                remedy="see the broker's log",
            )
        return {Partition(topic, number): bound for number, bound in asked.items()}
    except KafkaException as error:
        raise Unavailable(
            f"Kafka does not tell the offsets of {topic}", where=settings.brokers, remedy="see the broker's log"
        ) from error
    finally:
        consumer.close()
