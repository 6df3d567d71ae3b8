"""Which log a topic's name stands for: a topic made anew, or one on another cluster, is another log.

Kafka gives each topic an id (KIP-516) that no other ever has, on any cluster; the embedded broker does, too. Where a
broker gives none, the cluster's id and the name are taken: a topic made anew there cannot be told from the one before.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future

from confluent_kafka import KafkaError, KafkaException, TopicCollection, Uuid
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the package re-exports it without saying so
    AdminClient,
    TopicDescription,
)

from weir.core.chunk import LogPartition
from weir.core.errors import Unavailable
from weir.edges.kafka.admin import REACH_S, bounds, metadata
from weir.edges.kafka.errors import NOT_AUTHORIZED, PAUSE_S, error_of, weir_error
from weir.setting_groups import KafkaSettings

LOOK_EVERY_S = 0.25  # a topic that is gone, or made anew with nothing in it, is noticed so late

_NO_ID = "A" * 22  # all zero bits

Logs = Mapping[str, str]  # topic -> log; without those that do not exist
_Asked = Mapping[str, Future[TopicDescription]]


class LogWatch:
    """The logs of some topics, looked at again and again. One thread at a time.

    A log that was replaced never comes back: a broker that has not heard of the new one yet is not believed.
    """

    def __init__(self, settings: KafkaSettings, topics: Iterable[str]) -> None:
        self._settings, self._topics = settings, sorted(set(topics))
        self._admin: AdminClient | None = None
        self._cluster = ""
        self._asked: _Asked | None = None
        self._due_s = 0.0
        self._latest: dict[str, str] = {}
        self._gone: set[str] = set()

    def now(self) -> Logs:
        """Ask, and wait for the answer. Raises, as `weir_error` words it, when there is none, or no right to it."""
        deadline_s, self._asked = time.monotonic() + REACH_S, None  # what is on its way is older
        while True:
            try:
                return self._take(self._ask())
            except KafkaException as error:
                if error_of(error).code() in NOT_AUTHORIZED or time.monotonic() > deadline_s:
                    raise weir_error(error_of(error), self._settings.brokers, "the ids of topics") from error
            time.sleep(PAUSE_S)

    def look(self) -> Logs | None:
        """What the brokers have said since the last look, without waiting; None: nothing."""
        if self._asked is None:
            if time.monotonic() >= self._due_s:
                self._asked = self._ask()
            return None
        if not all(answer.done() for answer in self._asked.values()):
            return None
        asked, self._asked = self._asked, None
        self._due_s = time.monotonic() + LOOK_EVERY_S
        try:
            return self._take(asked)
        except KafkaException:
            return None  # whoever reads the topics is told, too, and has a budget to wait

    def hear(self, logs: Logs) -> None:
        """What somebody else was told of some of the topics."""
        for topic, log in logs.items():
            if log not in self._gone:
                self._see(topic, log)

    def _ask(self) -> _Asked:
        if self._admin is None:
            self._admin, cluster = metadata(self._settings, refused_s=REACH_S)
            self._cluster = str(cluster.cluster_id)
        return self._admin.describe_topics(TopicCollection(self._topics), request_timeout=REACH_S)

    def _take(self, asked: _Asked) -> Logs:
        """Raises KafkaException when one of the answers is none."""
        found = {}
        for topic, answer in asked.items():
            try:
                log = _name(answer.result(), self._cluster)
            except KafkaException as error:
                if error_of(error).code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise
                continue
            if log not in self._gone:
                self._see(topic, log)
                found[topic] = log
        return found

    def _see(self, topic: str, log: str) -> None:
        if (before := self._latest.get(topic, log)) != log:
            self._gone.add(before)
        self._latest[topic] = log


def log_of(settings: KafkaSettings, topic: str) -> str:
    """The log that a topic's name means when asked. Raises Unavailable without the topic, and as `LogWatch.now`."""
    found = LogWatch(settings, [topic]).now()
    if topic not in found:
        raise Unavailable(f"topic {topic} does not exist", where=settings.brokers, remedy="run `weir topics create`")
    return found[topic]


def bounds_of(settings: KafkaSettings, topic: str) -> dict[LogPartition, tuple[int, int]]:
    """First offset and end of every partition of a topic's log, see `admin.bounds`. Raises Unavailable."""
    log = log_of(settings, topic)
    return {LogPartition(log, *source): bound for source, bound in bounds(settings, topic).items()}


def _name(topic: TopicDescription, cluster: str) -> str:
    """As Kafka's own tools write it: base64 for URLs, 22 characters."""
    return of_id(topic.topic_id) or f"{topic.name} on {cluster}"


def of_id(topic_id: Uuid | str) -> str:
    """The log of a topic with this id, or with these letters of base64 for one; empty for the id of none.

    >>> of_id(Uuid(4817084919093281953, -3949066437023649080)), of_id("Qtm5Nj9yRKHJMhj/osmyyA")
    ('Qtm5Nj9yRKHJMhj_osmyyA', 'Qtm5Nj9yRKHJMhj_osmyyA')
    """
    name = str(topic_id).replace("+", "-").replace("/", "_")
    return "" if name == _NO_ID else name
