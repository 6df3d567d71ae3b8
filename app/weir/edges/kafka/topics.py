"""Kafka topics as declared in schemas/topics.yaml: make them, and compare the cluster with the declaration."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the package re-exports them without saying so
    AdminClient,
    ClusterMetadata,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
    TopicMetadata,
)

from weir.core.errors import Refused, Unavailable
from weir.edges.kafka.admin import REACH_S, metadata
from weir.edges.kafka.errors import PAUSE_S
from weir.edges.schemas import folder as schema_folder
from weir.edges.schemas.folder import Topic
from weir.settings import Settings


@dataclass(frozen=True, slots=True)
class Found:
    """A declared topic as it is on the cluster. partitions: 0 when it does not exist. faults: a text each."""

    topic: Topic
    partitions: int
    faults: tuple[str, ...]


def declared(settings: Settings) -> tuple[Topic, ...]:
    """Topics of this deployment: `settings.service` and every service with a contract in schemas/. Raises Refused."""
    folder = settings.paths.schemas_dir
    named = (settings.scoring.service,) if settings.scoring.service else ()
    services = dict.fromkeys((*named, *schema_folder.services(folder)))
    return schema_folder.topics(folder, services, settings.kafka.deployment)


def ensure(settings: Settings, topics: Sequence[Topic] | None = None, replication: int = -1) -> tuple[str, ...]:
    """Create the declared topics that are missing; names of those created.

    replication: copies of each partition; -1 is the cluster's default.
    Raises Unavailable when the brokers do not answer; Refused when they refuse a topic, or one exists with another
    number of partitions that cannot be repaired in place.
    """
    topics = declared(settings) if topics is None else topics
    admin, cluster = metadata(settings.kafka, REACH_S)
    found = _partitions(cluster, topics)
    due = _due(settings, cluster, topics)
    for topic in topics:
        _check(settings, topic, found[topic.name], due[topic.name])
    wanted = [
        NewTopic(topic.name, num_partitions=due[topic.name], replication_factor=replication, config=topic.config)
        for topic in topics
        if not found[topic.name]
    ]
    if not wanted:
        return ()
    created = []
    for name, future in admin.create_topics(wanted, operation_timeout=REACH_S, request_timeout=REACH_S).items():
        if _made(settings, name, future):
            created.append(name)
    _until_led(settings, {name: due[name] for name in created})
    return tuple(created)


def extend(settings: Settings, topics: Sequence[Topic] | None = None) -> tuple[str, ...]:
    """Give the topics that follow the requests as many partitions as any of these has; names of those extended.

    Raises Unavailable when the brokers do not answer, Refused when they refuse.
    """
    topics = declared(settings) if topics is None else topics
    admin, cluster = metadata(settings.kafka, REACH_S)
    found, due = _partitions(cluster, topics), _due(settings, cluster, topics)
    names = [topic.name for topic in topics if topic.follows_requests and 0 < found[topic.name] < due[topic.name]]
    if names:
        wanted = [NewPartitions(name, due[name]) for name in names]
        for name, future in admin.create_partitions(wanted, operation_timeout=REACH_S).items():
            _made(settings, name, future)
        _until_led(settings, {name: due[name] for name in names})
    return tuple(names)


def check(settings: Settings, topics: Sequence[Topic] | None = None) -> tuple[Found, ...]:
    """Every declared topic as it is on the cluster, configuration included. Raises Unavailable."""
    topics = declared(settings) if topics is None else topics
    admin, cluster = metadata(settings.kafka, REACH_S)
    found, due = _partitions(cluster, topics), _due(settings, cluster, topics)
    config = _config(settings, admin, [topic for topic in topics if found[topic.name]])
    return tuple(
        Found(topic, found[topic.name], _faults(topic, found[topic.name], due[topic.name], config.get(topic.name, {})))
        for topic in topics
    )


def _due(settings: Settings, cluster: ClusterMetadata, topics: Sequence[Topic]) -> dict[str, int]:
    """How many partitions each topic should have: those that follow the requests at least as many as any of these."""
    requests = settings.kafka.names.requests("")
    most = max((len(told.partitions) for name, told in cluster.topics.items() if name.startswith(requests)), default=0)
    return {topic.name: max(topic.partitions, most) if topic.follows_requests else topic.partitions for topic in topics}


def _fits(topic: Topic, partitions: int, due: int) -> bool:
    """Requests may be given more partitions, and what follows them may have had more."""
    return partitions >= due if topic.service or topic.follows_requests else partitions == due


def _check(settings: Settings, topic: Topic, partitions: int, due: int) -> None:
    """Raises Refused for a topic that is there with another number of partitions."""
    if not partitions or _fits(topic, partitions, due):
        return
    extend_it = "run `weir topics create`, which adds them"
    raise Refused(
        f"topic {topic.name} has {partitions} partitions, {due} are due"
        if topic.follows_requests
        else f"topic {topic.name} has {partitions} partitions, declared are {due}",
        where=settings.kafka.brokers,
        remedy=extend_it if topic.follows_requests else "declare so many in topics.yaml, or make the topic anew",
    )


def _partitions(cluster: ClusterMetadata, topics: Sequence[Topic]) -> dict[str, int]:
    told = cluster.topics
    return {
        topic.name: len(told[topic.name].partitions) if topic.name in told and told[topic.name].error is None else 0
        for topic in topics
    }


def _until_led(settings: Settings, partitions: Mapping[str, int]) -> None:
    """Wait until these topics have so many partitions, each with a leader: whoever comes right after can use them."""
    deadline_s, left = time.monotonic() + REACH_S, list(partitions)
    while left:
        told = metadata(settings.kafka, REACH_S)[1].topics
        left = [name for name in left if name not in told or not _led(told[name], partitions[name])]
        if left and time.monotonic() > deadline_s:
            raise Unavailable(
                f"the new partitions of {', '.join(left)} have no leaders",
                where=settings.kafka.brokers,
                remedy="see that enough brokers run",
            )
        if left:
            time.sleep(PAUSE_S)


def _led(topic: TopicMetadata, partitions: int) -> bool:
    """Whether there are so many, all of them led: the brokers hear of new ones a moment after they are made."""
    parts = topic.partitions.values()
    led = all(part.error is None and part.leader >= 0 for part in parts)
    return topic.error is None and len(parts) >= partitions and led


def _config(settings: Settings, admin: AdminClient, topics: Sequence[Topic]) -> dict[str, dict[str, str]]:
    """Configuration per topic; an empty one where the broker does not tell it."""
    if not topics:
        return {}
    asked = [ConfigResource(ResourceType.TOPIC, topic.name) for topic in topics]
    answers: dict[str, dict[str, str]] = {}
    for resource, future in admin.describe_configs(asked, request_timeout=REACH_S).items():
        try:
            answers[resource.name] = {name: str(entry.value) for name, entry in future.result().items()}
        except KafkaException as error:
            if error.args[0].code() in (KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN):
                raise _silent(settings) from error
            raise Refused(
                f"the configuration of topic {resource.name} cannot be read: {error.args[0].str()}",
                where=settings.kafka.brokers,
                remedy="give this user DescribeConfigs on it",
            ) from error
    return answers


def _faults(topic: Topic, partitions: int, due: int, config: dict[str, str]) -> tuple[str, ...]:
    if not partitions:
        return ("does not exist",)
    faults = []
    if topic.follows_requests and partitions < due:
        faults.append(f"{partitions} partitions, {due} are due: run `weir topics create`")
    elif not _fits(topic, partitions, due):
        faults.append(f"{partitions} partitions, declared {due}")
    faults += [
        f"{name} {config[name]}, declared {value}"
        for name, value in topic.config.items()
        if name in config and config[name] != value
    ]
    return tuple(faults)


def _made(settings: Settings, name: str, future: Future[None]) -> bool:
    """Whether this call made the topic; somebody else may have been faster."""
    try:
        future.result()
    except KafkaException as error:
        code = error.args[0].code()
        if code == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        if code in (KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN):
            raise _silent(settings) from error
        raise Refused(
            f"topic {name} was not made: {error.args[0].str()}",
            where=settings.kafka.brokers,
            remedy="correct schemas/topics.yaml, or let this user create topics",
        ) from error
    return True


def _silent(settings: Settings) -> Unavailable:
    return Unavailable(
        "Kafka does not answer", where=settings.kafka.brokers, remedy="start the broker or set WEIR_BROKERS"
    )
