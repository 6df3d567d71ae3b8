"""Redriven records in Kafka: sent with a header that names their letter, and found again by it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka import Producer as RdProducer

from weir.core.chunk import LogPartition, Partition
from weir.core.dead_letter import letter_id
from weir.core.errors import Refused, Unavailable
from weir.edges.kafka import admin, handshake
from weir.edges.kafka.admin import LOOK_S
from weir.edges.kafka.client import client_config
from weir.edges.kafka.errors import FatalError, error_of, is_retriable, weir_error
from weir.edges.kafka.logs import LogWatch
from weir.setting_groups import KafkaSettings

HEADER = "weir-redrive"  # its value is the letter's id
AGAIN = "run it again after WEIR_REDRIVE_SETTLE_S: what was announced is then looked for, and sent if it is not there"
UNANSWERED = {KafkaError._MSG_TIMED_OUT, KafkaError._QUEUE_FULL}  # the brokers may be away, or refuse this client
GIVE_UP = "or, should it never be accepted, give it up by `weir dead-letters give-up ID --reason TEXT`"
Found = dict[str, list[int]]  # letter id -> offsets of the records that name it


@dataclass(frozen=True, slots=True)
class Announced:
    """A letter whose record is to stand in its topic and partition, in log `into_log` at `log_begin` or later, once."""

    service: str
    source: LogPartition
    offset: int
    key: bytes | None
    value: bytes | None
    repair: str
    into_log: str
    log_begin: int

    @property
    def id(self) -> str:
        """What commands call the letter: "topic/partition/offset@log"."""
        return letter_id(self.source, self.offset)

    @property
    def place(self) -> Partition:
        """Where it is sent."""
        return Partition(self.source.topic, self.source.partition)


def send(settings: KafkaSettings, rows: Sequence[Announced]) -> None:
    """All rows, in order, each to the partition that its letter came from; what the sink's budget ends is given up.

    A row that is refused holds up no others. Raises Unavailable; what `weir_error` makes of an error of Kafka, naming
    the first letter that it befell.
    """
    deadline_s = time.monotonic() + settings.sink_budget_s
    failed: list[tuple[str, KafkaError]] = []
    done = 0

    def told(row: Announced, error: KafkaError | None) -> None:
        nonlocal done
        if error is None:
            done += 1
        else:
            failed.append((row.id, error))

    refusal = FatalError()
    producer = RdProducer(
        client_config(settings, "weir-redrive")
        | {
            "enable.idempotence": True,
            "acks": "all",
            "compression.type": "lz4",
            "message.max.bytes": 8 * 1024 * 1024,  # as large as a dead letter may be
            "message.timeout.ms": int(settings.sink_budget_s * 1000),
            "error_cb": refusal,  # librdkafka tries for ever; this one is told why
        }
    )

    def over() -> bool:
        return refusal.error is not None or time.monotonic() > deadline_s

    try:
        for row in rows:
            try:
                _queue(producer, row, partial(told, row), over)
            except KafkaException as error:
                told(row, error_of(error))
            if over():
                break
        while len(producer) and not over():
            producer.poll(LOOK_S)
    except KafkaException as error:
        failed.append(("", error_of(error)))
    producer.purge()  # nothing of it may come later
    if done < len(rows):
        which, cause = next(iter(failed), ("", None))
        cause = refusal.error or cause
        what = f"{len(rows) - done} redriven records were not delivered"
        if cause is None or cause.code() in UNANSWERED:
            handshake.check(settings)
        if cause is None:
            raise Unavailable(f"{what}: no answer", where=settings.brokers, remedy=AGAIN)
        first = f", first {which}" if which else ""
        never = which and cause.code() not in UNANSWERED and not is_retriable(cause)
        raise weir_error(cause, settings.brokers, what + first, then=f"{AGAIN}; {GIVE_UP}" if never else AGAIN)


def _queue(
    producer: RdProducer,
    row: Announced,
    told: Callable[[KafkaError | None], None],
    over: Callable[[], bool],
) -> None:
    """Queue it, as soon as there is room. Raises KafkaException: it is refused, or there is none until over()."""
    headers: list[tuple[str, str | bytes | None]] = [(HEADER, row.id)]
    while True:
        try:
            producer.produce(
                row.source.topic,
                row.value,
                row.key,
                row.source.partition,
                headers=headers,
                on_delivery=lambda error, _: told(error),
            )
            producer.poll(0)
            return
        except BufferError as error:
            if over():
                raise KafkaException(KafkaError(KafkaError._QUEUE_FULL)) from error
            producer.poll(LOOK_S)


def find(settings: KafkaSettings, rows: Sequence[Announced]) -> Found:
    """Which of the rows the log holds, from each one's announcement to the end of its partition.

    Raises Unavailable; Refused when the log is another one, or no longer reaches back to an announcement.
    """
    if not rows:
        return {}
    kept = {row.id for row in traceable(settings, rows)}
    if lost := [row for row in rows if row.id not in kept]:
        raise Refused(
            f"{lost[0].source.topic} was made anew or cut since letters were announced for it, first {lost[0].id}: "
            "nobody can tell whether they were sent",
            where=settings.brokers,
            remedy="give them up by `weir dead-letters give-up ID --reason TEXT`, or look for them yourself",
        )
    begins: dict[Partition, int] = {}
    for row in rows:
        begins[row.place] = min(row.log_begin, begins.get(row.place, row.log_begin))
    bounds: dict[Partition, tuple[int, int]] = {}
    for topic in {source.topic for source in begins}:
        bounds |= admin.bounds(settings, topic)
    spans = {source: (begin, bounds[source][1]) for source, begin in begins.items() if bounds[source][1] > begin}
    wanted = {row.id: row.place for row in rows}
    found: Found = defaultdict(list)
    for message in _read(settings, spans):
        source, offset = Partition(str(message.topic()), message.partition() or 0), message.offset() or 0
        for name in _names(message):
            if wanted.get(name) == source and offset < spans[source][1]:
                found[name].append(offset)
    return found


def traceable(settings: KafkaSettings, rows: Sequence[Announced]) -> list[Announced]:
    """Those of which the log can tell whether they were sent: it is the one of then, and reaches back that far.

    Raises Unavailable, Refused.
    """
    logs = LogWatch(settings, {row.source.topic for row in rows}).now() if rows else {}
    same = [row for row in rows if logs.get(row.source.topic) == row.into_log]
    bounds: dict[Partition, tuple[int, int]] = {}
    for topic in {row.source.topic for row in same}:
        bounds |= admin.bounds(settings, topic)
    return [row for row in same if row.place in bounds and bounds[row.place][0] <= row.log_begin]


def _read(settings: KafkaSettings, spans: Mapping[Partition, tuple[int, int]]) -> Iterator[Message]:
    """Every record of [begin, end) of each partition; some after the end may come too."""
    refusal = FatalError()
    config = client_config(settings, "weir-redrive") | {"group.id": "weir-redrive", "error_cb": refusal}
    consumer = Consumer(config)  # joins no group
    ends = {source: end for source, (_, end) in spans.items()}
    deadline_s = time.monotonic() + settings.sink_budget_s
    try:
        consumer.assign([TopicPartition(*source, begin) for source, (begin, _) in spans.items()])
        while ends:
            for message in consumer.consume(1000, 0.2):
                error = message.error()
                if error is not None and not is_retriable(error):
                    raise KafkaException(error)
                if error is not None:
                    continue
                deadline_s = time.monotonic() + settings.sink_budget_s  # it moves
                yield message
            refusal.check(settings.brokers)
            at = consumer.position([TopicPartition(*source) for source in ends])
            reached = {Partition(place.topic, place.partition): place.offset for place in at}
            ends = {source: end for source, end in ends.items() if reached[source] < end}
            if ends and time.monotonic() > deadline_s:
                handshake.check(settings)
                raise Unavailable(
                    f"Kafka does not give all of {sorted(ends)}",
                    where=settings.brokers,
                    remedy="see the broker's log",
                )
    except KafkaException as error:
        doing = "Kafka does not give what was sent"
        raise weir_error(error_of(error), settings.brokers, doing, then="run it again") from error
    finally:
        consumer.close()


def _names(message: Message) -> list[str]:
    headers = message.headers() or []
    pairs = headers.items() if isinstance(headers, dict) else headers
    values = [value for name, value in pairs if name == HEADER]
    return [value.decode(errors="replace") if isinstance(value, bytes) else str(value) for value in values]
