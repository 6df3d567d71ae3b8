"""librdkafka's errors as Weir's: which of them are retried, and what to do about the others."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException

from weir.core.chunk import Partition
from weir.core.errors import Refused, Unavailable

T = TypeVar("T")

PAUSE_S = 0.1  # between two tries: electing a leader takes the brokers about as long

# The group has moved on: whoever owns the partition by then repeats the work, so there is nothing to report.
FENCED = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError._NO_OFFSET,
    KafkaError._STATE,
    KafkaError._ASSIGNMENT_LOST,
    KafkaError.UNKNOWN_TOPIC_OR_PART,  # of a log that is gone; that it is, is heard of by polling
}

# What is said of a log that is no longer there, while another one takes its place.
OF_A_LOG = {
    KafkaError.OFFSET_OUT_OF_RANGE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._AUTO_OFFSET_RESET,
    KafkaError._UNKNOWN_PARTITION,
    KafkaError._UNKNOWN_TOPIC,
}

# A broker restarts, a leader or a coordinator moves: asked again a moment later, the answer is another one.
# Source: "retriable" in https://kafka.apache.org/protocol#protocol_error_codes, without the unknown topic, which is
# more often forgotten than late; and what librdkafka says of its connections.
RETRIABLE = {
    KafkaError.BROKER_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.KAFKA_STORAGE_ERROR,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NETWORK_EXCEPTION,
    KafkaError.NOT_CONTROLLER,
    KafkaError.NOT_COORDINATOR,
    KafkaError.NOT_ENOUGH_REPLICAS,
    KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.REPLICA_NOT_AVAILABLE,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.THROTTLING_QUOTA_EXCEEDED,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.UNSTABLE_OFFSET_COMMIT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._DESTROY_BROKER,  # of what was on its way to a broker that has left
    KafkaError._RESOLVE,
    KafkaError._TIMED_OUT,
    KafkaError._TIMED_OUT_QUEUE,
    KafkaError._TRANSPORT,
    KafkaError._WAIT_COORD,
}

# The brokers answer and reject this client; librdkafka tries for ever and reports it to its error callback only.
AUTH_FAILED = {
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.UNSUPPORTED_SASL_MECHANISM,
    KafkaError._AUTHENTICATION,
    KafkaError._SSL,
}
# With TLS 1.3 a broker refuses a certificate when the connection already stands. No repetition mends these alerts,
# here in OpenSSL's words: "tlsv13 alert certificate required" and the like.
_ALERT = re.compile(
    r"\balert [a-z ]*(certificate|unknown ca|access denied|handshake failure|illegal parameter|decrypt error"
    r"|protocol version|insufficient security)"
)
NOT_AUTHORIZED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}


class FatalError:
    """An error callback that keeps the first error after which the client cannot go on.

    error: None while there is none.
    """

    def __init__(self, report: Callable[[KafkaError], None] = lambda error: None) -> None:
        """report: called with every error, retriable ones included."""
        self.error: KafkaError | None = None
        self._report = report

    def __call__(self, error: KafkaError) -> None:
        """Called by librdkafka."""
        if error.fatal() or _is_final(error):
            self.error = self.error or error
        self._report(error)

    def check(self, where: str) -> None:
        """Raises the error that was kept, as `weir_error` makes it. where: the brokers."""
        if self.error is not None:
            raise weir_error(self.error, where)


def _is_final(error: KafkaError) -> bool:
    """Not when a handshake merely breaks off: that is a broker that restarts."""
    if error.code() == KafkaError._TRANSPORT:
        return _ALERT.search(error.str()) is not None
    return error.code() in AUTH_FAILED and "isconnected" not in error.str()


def retry(ask: Callable[[], T], budget_s: float, also: Collection[int] = ()) -> T:
    """The answer, asked for again while the error is retriable, for at most budget_s seconds. Raises KafkaException.

    also: codes that are retriable here.
    """
    deadline_s = time.monotonic() + budget_s
    while True:
        try:
            return ask()
        except KafkaException as error:
            passing = is_retriable(error_of(error)) or error_of(error).code() in also
            if not passing or time.monotonic() > deadline_s:
                raise
            time.sleep(PAUSE_S)


def is_retriable(error: KafkaError) -> bool:
    """Whether the same request may succeed a moment later."""
    return error.code() in RETRIABLE or bool(error.retriable())


def error_of(exception: KafkaException) -> KafkaError:
    """The error that an exception of confluent-kafka carries."""
    error: KafkaError = exception.args[0]
    return error


# What a person should read: codes, what is wrong, and what to do.
_MEANING = (
    (
        {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE},
        "the committed offset is no longer in the log",
        "retention has removed unread records; raise it, and reset the group's offsets to go on",
    ),
    (
        {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION},
        "a topic or partition does not exist",
        "run `weir topics create`, which makes what is missing, and start again",
    ),
    (
        {KafkaError.MSG_SIZE_TOO_LARGE},
        "a record is larger than its topic admits",
        "see which of its fields is so large, or raise max_message_bytes of the topic in schemas/topics.yaml",
    ),
    (NOT_AUTHORIZED, "Kafka denies access", "grant what `weir topics acls` shows for this worker"),
    (
        {KafkaError._SSL},
        "no TLS connection to Kafka",
        "check WEIR_KAFKA_SSL_CA_FILE, WEIR_KAFKA_SSL_CERTIFICATE_FILE and the port",
    ),
    (
        AUTH_FAILED,
        "Kafka rejects the credentials",
        "check WEIR_KAFKA_SASL_USERNAME, WEIR_KAFKA_SASL_PASSWORD and WEIR_KAFKA_SASL_MECHANISM",
    ),
    (
        {KafkaError._FENCED, KafkaError.FENCED_INSTANCE_ID},
        "another worker has joined the group with this instance id",
        "give each worker a WEIR_GROUP_INSTANCE_ID of its own",
    ),
    (
        {KafkaError.INVALID_SESSION_TIMEOUT},
        "the brokers do not admit this session timeout",
        "set WEIR_SESSION_TIMEOUT_S between their group.min.session.timeout.ms and group.max.session.timeout.ms",
    ),
)


def weir_error(error: KafkaError, where: str, doing: str = "", then: str = "") -> Unavailable | Refused:
    """The error to raise: Refused where a person must change something, else Unavailable.

    where: the brokers. doing: what was asked for, where the error does not say it. then: what to do after the remedy.
    """
    then = f"; then {then}" if then else ""
    text = f"{doing}: {error.str()}" if doing else error.str()
    code = KafkaError._SSL if _ALERT.search(text) else error.code()
    for codes, what, remedy in _MEANING:
        if code in codes:
            return Refused(f"{what}: {text}", where=where, remedy=remedy + then)
    return Unavailable(
        f"Kafka reports {error.name()}: {text}", where=where, remedy=f"look for this error in the broker's log{then}"
    )


def removed(source: Partition, committed: int, begin: int, where: str) -> Refused:
    """For a log that begins after the committed offset: records are gone that nobody has read."""
    return Refused(
        f"{source.topic}, partition {source.partition}: {begin - committed} unread records were removed "
        f"(committed {committed}, the log begins at {begin})",
        where=where,
        remedy="raise the topic's retention, and reset the group's offsets to go on",
    )


def replaced(topics: Sequence[str], where: str) -> Unavailable:
    """For a worker whose state in memory was made from a log that is gone."""
    return Unavailable(
        f"made anew while they were read: {', '.join(topics)}",
        where=where,
        remedy="start the worker again: it reads the new log from its beginning",
    )
