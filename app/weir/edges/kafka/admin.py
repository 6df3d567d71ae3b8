"""What Kafka says of its topics: partitions and offsets."""

from __future__ import annotations

import socket
import time
from functools import partial
from typing import cast

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the package re-exports it without saying so
    AdminClient,
    ClusterMetadata,
)

from weir.core.chunk import Partition
from weir.core.errors import Refused, Unavailable
from weir.edges.kafka import handshake
from weir.edges.kafka.client import addresses, client_config
from weir.edges.kafka.errors import NOT_AUTHORIZED, FatalError, error_of, retry, weir_error
from weir.setting_groups import KafkaSettings

LOOK_S = 0.5  # one look at whether the brokers answer, or turn us away
READ_RECORDS = 1000  # at a time, on the way to the end of a log
REFUSED_S = 3.0  # nobody listens: whoever waits at a terminal is told so, and a broker that is starting has a moment
REACH_S = 10.0  # a healthy cluster answers a metadata request in milliseconds; ten seconds cover a leader election


def metadata(
    settings: KafkaSettings, timeout_s: float = REACH_S, *, refused_s: float = REFUSED_S
) -> tuple[AdminClient, ClusterMetadata]:
    """An admin client, and what it is told of brokers and topics.

    refused_s: how long to try where nobody listens at any broker's address.

    Raises:
        Refused: a Kafka setting cannot be used, or the brokers reject this client.
        Unavailable: the brokers do not answer.
    """
    refusal = FatalError()
    try:
        admin = AdminClient(client_config(settings, "weir-admin") | {"error_cb": refusal})
    except KafkaException as error:
        raise Refused(
            f"librdkafka cannot use the Kafka settings: {error_of(error).str()}",
            where=settings.brokers,
            remedy="correct the WEIR_KAFKA_ settings",
        ) from error
    began_s = time.monotonic()
    while True:
        try:
            return admin, admin.list_topics(timeout=LOOK_S)
        except KafkaException as error:
            admin.poll(0)  # why, if the brokers have said so
            refusal.check(settings.brokers)
            tried_s = time.monotonic() - began_s
            if tried_s > timeout_s or (tried_s > refused_s and not _is_anybody_there(settings)):
                handshake.check(settings)
                raise Unavailable(
                    "Kafka does not answer", where=settings.brokers, remedy="start the broker or set WEIR_BROKERS"
                ) from error


def _is_anybody_there(settings: KafkaSettings) -> bool:
    """Whether an address of a broker takes a connection, or at least does not refuse it."""
    for address in addresses(settings):
        try:
            socket.create_connection(address, LOOK_S).close()
        except (ConnectionRefusedError, socket.gaierror):
            continue
        except OSError:
            return True
        return True
    return False


def partitions_of(settings: KafkaSettings, topic: str, timeout_s: float = REACH_S) -> int:
    """Number of partitions of a topic. It waits all of timeout_s for brokers that restart, as workers need it.

    Raises:
        Refused: a Kafka setting cannot be used, the topic does not exist, or this user may not see it.
        Unavailable: the brokers do not answer.
    """
    admin, cluster = metadata(settings, timeout_s, refused_s=timeout_s)
    found = cluster.topics.get(topic)
    if found is None or found.error is not None or not found.partitions:
        _check_access(settings, admin, topic)
        raise Refused(f"topic {topic} does not exist", where=settings.brokers, remedy="run `weir topics create`")
    return len(found.partitions)


def _check_access(settings: KafkaSettings, admin: AdminClient, topic: str) -> None:
    """Raises Refused when this user may not see the topic: the list of topics then lacks it without a word."""
    try:
        admin.describe_topics(TopicCollection([topic]), request_timeout=REACH_S)[topic].result()
    except KafkaException as error:
        if error_of(error).code() in NOT_AUTHORIZED:
            raise weir_error(error_of(error), settings.brokers, topic) from error


def bounds(settings: KafkaSettings, topic: str) -> dict[Partition, tuple[int, int]]:
    """First offset and end of every partition of a topic: a reader of committed records stands there when it has all.

    The end is where a fetch from the last records on finds nothing more. Before an open transaction that is the end;
    the embedded broker's other answer is the base of its last batch.
    Raises Unavailable.
    """
    partitions = [TopicPartition(topic, number) for number in range(partitions_of(settings, topic))]
    # It asks only, and joins no group.
    consumer = Consumer(
        client_config(settings, "weir-bounds")
        | {"group.id": "weir-bounds", "isolation.level": "read_committed"}
        | {"enable.partition.eof": True, "fetch.wait.max.ms": 20}
    )
    try:
        asked = {
            part.partition: retry(partial(consumer.get_watermark_offsets, part, REACH_S), REACH_S)
            for part in partitions
        }
        near = {number: max(begin, end - 1) for number, (begin, end) in asked.items()}
        consumer.assign([TopicPartition(topic, number, offset) for number, offset in near.items()])
        ends: dict[int, int] = {}
        deadline_s = time.monotonic() + REACH_S
        while len(ends) < len(asked) and time.monotonic() < deadline_s:
            for message in consumer.consume(READ_RECORDS, 0.02):
                error = message.error()
                if error is not None and error.code() == KafkaError._PARTITION_EOF:
                    ends[cast(int, message.partition())] = cast(int, message.offset())
        if waiting := sorted(asked.keys() - ends.keys()):
            raise Unavailable(
                f"Kafka does not tell the end of {topic}, partitions {waiting}",
                where=settings.brokers,
                remedy="see the broker's log",
            )
        return {Partition(topic, number): (begin, ends[number]) for number, (begin, _) in asked.items()}
    except KafkaException as error:
        raise Unavailable(
            f"Kafka does not tell the offsets of {topic}", where=settings.brokers, remedy="see the broker's log"
        ) from error
    finally:
        consumer.close()
