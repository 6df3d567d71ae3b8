"""librdkafka's word turned into ours: which errors pass by themselves, and what to do about the others."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException

from app.core.chunk import Partition
from app.core.errors import Unavailable

# The group has moved on: whoever owns the partition by then repeats the work, so there is nothing to report.
TOO_LATE = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError._NO_OFFSET,
    KafkaError._STATE,
    KafkaError._ASSIGNMENT_LOST,
}

# A broker restarts, a coordinator moves: asked again a moment later, the answer is another one.
PASSING = {
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.NOT_COORDINATOR,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError._WAIT_COORD,
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    KafkaError._TIMED_OUT_QUEUE,
}


def passes(error: KafkaError) -> bool:
    """Whether the same request may succeed a moment later."""
    return error.code() in PASSING or bool(error.retriable())


def error_of(exception: KafkaException) -> KafkaError:
    """The error that an exception of confluent-kafka carries."""
    error: KafkaError = exception.args[0]
    return error


def unavailable(error: KafkaError, where: str) -> Unavailable:
    """What a person should read. where: the brokers. Raises nothing itself."""
    code, text = error.code(), error.str()
    if code in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
        return Unavailable(
            f"the committed offset is no longer in the log: {text}", where=where,
            remedy="retention has removed unread records; raise it, and reset the group's offsets to go on",
        )  # fmt: skip
    if code in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION):
        return Unavailable(f"a subscribed topic does not exist: {text}", where=where, remedy="run `weir topics create`")
    if code in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED):
        return Unavailable(
            f"Kafka refuses access: {text}", where=where,
            remedy="grant the worker read access, see schemas/topics.yaml",
        )  # fmt: skip
    return Unavailable(f"Kafka reports {error.name()}: {text}", where=where, remedy="see the broker's log")


def removed(source: Partition, committed: int, begin: int, where: str) -> Unavailable:
    """For a log that begins after the committed offset: records are gone that nobody has read."""
    return Unavailable(
        f"{source.topic}, partition {source.partition}: {begin - committed} unread records were removed "
        f"(committed {committed}, the log begins at {begin})",
        where=where,
        remedy="raise the topic's retention, and reset the group's offsets to go on",
    )
