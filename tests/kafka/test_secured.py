"""Workers on a listener with TLS, passwords and rights: they need those that `weir topics acls` names, and no more."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy

import pytest
from confluent_kafka.admin import AclBindingFilter, AdminClient
from typer.testing import CliRunner

from app.cli.topics import cli
from app.core.errors import Refused
from app.edges import migrations, topics
from app.edges.acls import Right, grant, rights
from app.edges.embedded import Stack
from app.edges.kafka import client_config
from app.edges.schema_registry import Registry, publish
from app.settings import Settings
from tests.kafka.secured import ADMIN, Secured, secured
from tests.service_under_test import START_S, Service
from tests.waiting import until

USERS = ("weir-setup", "weir-scorer", "weir-recorder")
BROKEN_WORLD = 1                # exit status


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured(tmp_path_factory.mktemp("secured"), USERS) as running:
        yield running


@pytest.fixture(scope="module")
def secured_stack(stack: Stack, listener: Secured) -> Stack:
    """The stack with the secured cluster as its broker, everything made by the users who may, tables migrated."""
    other = copy(stack)
    other.settings = listener.settings(stack.settings, ADMIN)
    grant(other.settings, rights(other.settings))
    setup = listener.settings(stack.settings, "weir-setup")
    declared = topics.declared(setup)
    assert set(topics.ensure(setup, declared)) == {topic.name for topic in declared}
    assert not any(found.faults for found in topics.check(setup, declared))
    publish(Registry(setup), setup.schemas_dir, declared)
    migrations.apply(setup)
    return other


@pytest.fixture(scope="module")
def service(secured_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """A service whose requests are made and whose answers are read by the administrator; its worker is weir-scorer."""
    made = Service(secured_stack, tmp_path_factory.mktemp("bundle"))
    grant(made.settings, rights(made.settings))
    return made


def as_user(listener: Secured, settings: Settings, user: str) -> dict[str, str]:
    changed = listener.settings(settings, user)
    return {
        "kafka_sasl_username": changed.kafka_sasl_username,
        "kafka_sasl_password": changed.kafka_sasl_password.get_secret_value(),
    }


def of_role(settings: Settings, role: str) -> list[Right]:
    return [right for right in rights(settings) if right.role == role]


@contextmanager
def without(settings: Settings, right: Right) -> Iterator[None]:
    """Take one right away, and give it back."""
    binding = right.binding
    admin = AdminClient(client_config(settings, "tests"))
    exactly = AclBindingFilter(
        binding.restype, binding.name, binding.resource_pattern_type, binding.principal, binding.host,
        binding.operation, binding.permission_type,
    )  # fmt: skip
    assert admin.delete_acls([exactly])[exactly].result() == [binding]
    try:
        yield
    finally:
        assert grant(settings, [right]) == (right,)


def test_granting_again_gives_nothing(secured_stack: Stack) -> None:
    assert grant(secured_stack.settings, rights(secured_stack.settings)) == ()


def test_only_who_may_alter_the_cluster_grants(listener: Secured, secured_stack: Stack) -> None:
    settings = listener.settings(secured_stack.settings, "weir-setup")
    said = "User:weir-airports was not given Write on topic weir.events.flights: Broker: Cluster authorization failed"
    with pytest.raises(Refused, match=said):
        grant(settings, rights(settings))


def test_the_command_shows_and_gives_what_is_needed(
    secured_stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in secured_stack.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "200")
    arguments = ["acls", "--apply", "--json", "--principal", "scorer=User:scorer-of-{service}"]
    shown = CliRunner().invoke(cli, arguments)
    assert shown.exit_code == 0, shown.output
    given = [(entry["principal"], entry["kind"], entry["name"], entry["operation"])
             for entry in json.loads(shown.output) if entry["given"]]  # fmt: skip
    assert given == [
        ("User:scorer-of-flight-delay", "group", "weir-scorer-flight-delay", "Read"),
        ("User:scorer-of-flight-delay", "topic", "weir.dead-letters", "Write"),
        ("User:scorer-of-flight-delay", "topic", "weir.ledger", "Write"),
        ("User:scorer-of-flight-delay", "topic", "weir.predictions", "Write"),
        ("User:scorer-of-flight-delay", "topic", "weir.requests.flight-delay", "Read"),
    ]
    assert not any(entry["given"] for entry in json.loads(CliRunner().invoke(cli, arguments).output))


def test_a_scorer_works_with_the_rights_of_its_role(listener: Secured, service: Service) -> None:
    service.send_rows(400)
    score_all(service, as_user(listener, service.settings, "weir-scorer"))
    assert set(service.answered.values()) == {1}


def score_all(service: Service, user: dict[str, str]) -> None:
    """A worker's whole life: it scores what there is, and commits when it is asked to end."""
    with service.worker(**user) as child:
        until(service.all_answered, START_S, "every request answered")
        os.kill(child.pid, signal.SIGTERM)
        assert child.wait(START_S) == 0


SCORER = [
    ("Read", "group weir-scorer-{name}"), ("Write", "topic weir.dead-letters"), ("Write", "topic weir.ledger"),
    ("Write", "topic weir.predictions"), ("Read", "topic weir.requests.{name}"),
]  # fmt: skip


def test_these_are_the_rights_of_a_scorer(service: Service) -> None:
    found = [(right.operation, right.on) for right in of_role(service.settings, "scorer")]
    assert {(may, on.format(name=service.name)) for may, on in SCORER} <= set(found)


@pytest.mark.parametrize(("may", "on"), SCORER)
def test_a_scorer_without_one_of_them_says_which_and_loses_nothing(
    listener: Secured, service: Service, may: str, on: str
) -> None:
    on = on.format(name=service.name)
    (right,) = [found for found in of_role(service.settings, "scorer") if (found.operation, found.on) == (may, on)]
    service.send_rows(40)
    user = as_user(listener, service.settings, "weir-scorer")
    with without(service.settings, right), service.worker(**user) as child:
        assert child.wait(START_S) == BROKEN_WORLD
        assert_refused(child.log_tail(), right)
    service.look()
    assert set(service.answered) < set(service.sent)
    score_all(service, user)
    assert set(service.answered.values()) == {1}


def assert_refused(log: str, right: Right) -> None:
    last = log.splitlines()[-1]
    assert last.startswith("weir: Kafka refuses access: "), log
    assert f"{right.kind.title()} authorization failed" in last
    assert right.kind == "group" or right.name in last
    assert last.endswith("grant what `weir topics acls` shows for this worker")
    assert "Traceback" not in log
