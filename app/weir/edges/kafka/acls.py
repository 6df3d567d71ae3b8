"""ACLs on Kafka, made from the declaration of the topics: what each role needs, and no more."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the package re-exports them without saying so
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from weir.core.errors import Refused, Unavailable
from weir.edges.kafka.admin import REACH_S, metadata
from weir.edges.kafka.errors import PAUSE_S, error_of, weir_error
from weir.edges.kafka.topics import declared
from weir.edges.schemas import folder as schema_folder
from weir.edges.schemas.folder import SERVICE, Topic
from weir.settings import Settings

SETUP = "setup"  # the role that runs `weir topics create` and `check`
_KINDS = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP}
_OPERATIONS = {  # by the names that Kafka's own tool has for them
    "Create": AclOperation.CREATE,
    "Describe": AclOperation.DESCRIBE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
}
_PATTERNS = {False: ResourcePatternType.LITERAL, True: ResourcePatternType.PREFIXED}


@dataclass(frozen=True, slots=True, order=True)
class Acl:
    """One allowance. kind: "topic" or "group". prefixed: for every name that begins with `name`.

    Reading and writing imply that the topic or group may be described. An idempotent producer needs nothing more than
    to write (Kafka 3.0, KIP-679), and no worker uses transactions or needs an ACL on the cluster.
    """

    role: str
    principal: str
    kind: str
    name: str
    prefixed: bool
    operation: str

    @property
    def on(self) -> str:
        """Kind and name, as a person reads them."""
        return f"{self.kind} {self.name}{'*' if self.prefixed else ''}"

    def command(self, brokers: str) -> str:
        """The same as a call of Kafka's own tool."""
        words = ["kafka-acls.sh", "--bootstrap-server", brokers, "--add", "--allow-principal", self.principal]
        words += ["--operation", self.operation, f"--{self.kind}", self.name]
        words += ["--resource-pattern-type", "prefixed"] if self.prefixed else []
        return shlex.join(words)

    @property
    def binding(self) -> AclBinding:
        """The same as librdkafka wants it."""
        return AclBinding(
            _KINDS[self.kind],
            self.name,
            _PATTERNS[self.prefixed],
            self.principal,
            "*",
            _OPERATIONS[self.operation],
            AclPermissionType.ALLOW,
        )


def acls(settings: Settings, principals: Mapping[str, str] | None = None) -> tuple[Acl, ...]:
    """What every role needs, sorted.

    principals: as Kafka names them, by role, in place of `User:<deployment>-<role>`. One with `{service}` in it
    stands for a principal for each service, which then has no ACL on the requests of another.
    Raises Refused when a role is not in schemas/topics.yaml.
    """
    deployment, database = settings.kafka.deployment, settings.recording.clickhouse_database
    topics, groups = declared(settings), schema_folder.groups(settings.paths.schemas_dir, deployment, database)
    every = tuple(topic.service for topic in topics if topic.service)
    roles = {SETUP} | {role for topic in topics for role in topic.writers + topic.readers}
    given = _known(deployment, principals or {}, roles)
    found = set()
    for role, principal in given.items():
        for services in [(one,) for one in every] if SERVICE in principal else [every]:
            named = principal.replace(SERVICE, services[0]) if services else principal
            mine = [topic for topic in topics if topic.service in ("", *services)]
            name = groups.get(role, f"{deployment}.{_dashed(role)}.*")
            resources = (*_of_topics(role, mine), *_of_groups(role, mine, name, services))
            found |= {Acl(role, named, *resource) for resource in resources}
    return tuple(sorted(found))


def _known(deployment: str, principals: Mapping[str, str], roles: set[str]) -> dict[str, str]:
    """The principal of every role. Raises Refused for a role that is not in schemas/topics.yaml."""
    if unknown := sorted(set(principals) - roles):
        raise Refused(
            f"there is no role {', '.join(unknown)} in schemas/topics.yaml",
            remedy=f"name one of {', '.join(sorted(roles))}",
        )
    return {role: principals.get(role) or f"User:{deployment}-{_dashed(role)}" for role in roles}


def grant(settings: Settings, wanted: Sequence[Acl]) -> tuple[Acl, ...]:
    """Set the ACLs that the cluster lacks; returns those. Further ACLs are left alone.

    Raises Unavailable when the brokers do not answer; Refused when they refuse to set an ACL; and what `weir_error`
    makes of an error when they do not list them.
    """
    admin, _ = metadata(settings.kafka, REACH_S)
    missing = _missing(settings, admin, wanted)
    if not missing:
        return ()
    answers = admin.create_acls([acl.binding for acl in missing], request_timeout=REACH_S)
    for acl in missing:
        try:
            answers[acl.binding].result()
        except KafkaException as error:
            said = KafkaError(error_of(error).code()).str()  # what brokers add is their request, in full
            raise Refused(
                f"{acl.principal} was not granted {acl.operation} on {acl.on}: {said}",
                where=settings.kafka.brokers,
                remedy="let this user alter the cluster's ACLs",
            ) from error
    _until_there(settings, admin, missing)
    return tuple(missing)


def _missing(settings: Settings, admin: AdminClient, wanted: Sequence[Acl]) -> list[Acl]:
    """Those that the brokers do not tell of."""
    try:
        there = set(admin.describe_acls(_ALL, request_timeout=REACH_S).result())
    except KafkaException as error:
        raise weir_error(error_of(error), settings.kafka.brokers, "the list of ACLs") from error
    return [acl for acl in wanted if acl.binding not in there]


def _until_there(settings: Settings, admin: AdminClient, acls: Sequence[Acl]) -> None:
    """Wait until the brokers tell of them: they hear of them a moment after they are set, and turn away until then."""
    deadline_s = time.monotonic() + REACH_S
    while left := _missing(settings, admin, acls):
        if time.monotonic() > deadline_s:
            raise Unavailable(
                f"{len(left)} ACLs were set, and the brokers do not tell of them",
                where=settings.kafka.brokers,
                remedy="look for errors of the authorizer in the brokers' logs",
            )
        time.sleep(PAUSE_S)


_ALL = AclBindingFilter(
    ResourceType.ANY,
    None,  # type: ignore[arg-type]  # None: any
    ResourcePatternType.ANY,
    None,  # type: ignore[arg-type]
    None,  # type: ignore[arg-type]
    AclOperation.ANY,
    AclPermissionType.ANY,
)


def _of_topics(role: str, topics: Sequence[Topic]) -> Iterator[tuple[str, str, bool, str]]:
    for topic in topics:
        if role in topic.writers:
            yield "topic", topic.name, False, "Write"
        if role in topic.readers:
            yield "topic", topic.name, False, "Read"
        if role == SETUP:
            for operation in ("Create", "Describe", "DescribeConfigs"):
                yield "topic", topic.name, False, operation


def _of_groups(
    role: str, topics: Sequence[Topic], name: str, services: Sequence[str]
) -> Iterator[tuple[str, str, bool, str]]:
    if not any(role in topic.readers for topic in topics):
        return
    for service in services if SERVICE in name else ("",):
        yield "group", name.replace(SERVICE, service).removesuffix("*"), name.endswith("*"), "Read"


def _dashed(role: str) -> str:
    return role.replace(" ", "-")
