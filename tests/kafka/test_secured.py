"""Workers on a listener with TLS, passwords and ACLs: they need those that `weir topics acls` names, and no more."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from uuid import uuid4

import pytest
from confluent_kafka.admin import AclBindingFilter, AdminClient
from pydantic import SecretStr
from typer.testing import CliRunner
from weir.cli.topics import cli
from weir.core.chunk import LogPartition
from weir.core.errors import Refused
from weir.edges.clickhouse import migrations
from weir.edges.clickhouse.client import connect
from weir.edges.embedded.leash import Child
from weir.edges.embedded.stack import Stack
from weir.edges.kafka import topics
from weir.edges.kafka.acls import Acl, acls, grant
from weir.edges.kafka.admin import partitions_of
from weir.edges.kafka.client import client_config
from weir.edges.kafka.poller import Poller
from weir.edges.kafka.producer import Producer
from weir.edges.kafka.redrive_log import Announced, send
from weir.edges.schemas.registry import Registry, publish
from weir.settings import Settings, load

from tests.kafka.secured import ADMIN, KEY_PASSWORD, Authority, Secured, secured
from tests.service_under_test import Service
from tests.waiting import START_S, WAIT_S, until

OF_LEARNERS = ("weir.learner-snapshots",)  # a scorer of another bundle does without
USERS = ("weir-setup", "weir-scorer", "weir-recorder")
RESULTS = {"weir.predictions", "weir.dead-letters", "weir.ledger", "weir.batches", "weir.bundles"}
EX_CONFIG = 78  # exit status
LONG_S = 60.0  # a refusal is told at once, and not when this has passed


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured(tmp_path_factory.mktemp("secured"), USERS) as running:
        yield running


@pytest.fixture(scope="module")
def secured_stack(stack: Stack, listener: Secured) -> Stack:
    """The stack with the secured cluster as its broker, everything made by the users who may, tables migrated."""
    other = copy(stack)
    other.settings = listener.settings(stack.settings, ADMIN)
    grant(other.settings, acls(other.settings))
    setup = listener.settings(stack.settings, "weir-setup")
    declared = topics.declared(setup)
    assert set(topics.ensure(setup, declared)) == {topic.name for topic in declared}
    assert not any(found.faults for found in topics.check(setup, declared))
    publish(Registry(setup.registry), setup.paths.schemas_dir, declared)
    migrations.apply(setup.recording)
    return other


@pytest.fixture(scope="module")
def service(secured_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """A service whose requests are made and whose answers are read by the administrator; its worker is weir-scorer."""
    made = Service(secured_stack, tmp_path_factory.mktemp("bundle"))
    grant(made.settings, acls(made.settings))
    return made


def as_user(listener: Secured, settings: Settings, user: str) -> dict[str, str]:
    changed = listener.settings(settings, user)
    return {
        "kafka_sasl_username": changed.kafka.kafka_sasl_username,
        "kafka_sasl_password": changed.kafka.kafka_sasl_password.get_secret_value(),
    }


def of_role(settings: Settings, role: str) -> list[Acl]:
    return [acl for acl in acls(settings) if acl.role == role]


def some(rights: Iterable[Acl]) -> list[Acl]:
    """The first of them on a topic and the last of all; every one in `make chaos`, since each starts a worker."""
    every = list(rights)
    topic = next(acl for acl in every if acl.kind == "topic")
    return every if "WEIR_TEST_CHAOS" in os.environ else [topic, every[-1]]


@contextmanager
def without(settings: Settings, acl: Acl) -> Iterator[None]:
    """Take one acl away, and give it back."""
    binding = acl.binding
    admin = AdminClient(client_config(settings.kafka, "tests"))
    exactly = AclBindingFilter(
        binding.restype,
        binding.name,
        binding.resource_pattern_type,
        binding.principal,
        binding.host,
        binding.operation,
        binding.permission_type,
    )
    assert admin.delete_acls([exactly])[exactly].result() == [binding]
    until(lambda: not admin.describe_acls(exactly).result(), WAIT_S, "the broker to hear of it")
    try:
        yield
    finally:
        assert grant(settings, [acl]) == (acl,)


def test_granting_again_gives_nothing(secured_stack: Stack) -> None:
    assert grant(secured_stack.settings, acls(secured_stack.settings)) == ()


def test_only_who_may_alter_the_cluster_grants(listener: Secured, secured_stack: Stack) -> None:
    settings = listener.settings(secured_stack.settings, "weir-setup")
    said = "User:weir-airports was not granted Write on topic weir.events.flights: Broker: Cluster authorization failed"
    with pytest.raises(Refused, match=said):
        grant(settings, acls(settings))


def test_the_command_shows_and_gives_what_is_needed(secured_stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in secured_stack.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "200")
    arguments = ["acls", "--apply", "--json", "--principal", "scorer=User:scorer-of-{service}"]
    shown = CliRunner().invoke(cli, arguments)
    assert shown.exit_code == 0, shown.output
    given = [
        (entry["principal"], entry["kind"], entry["name"], entry["operation"])
        for entry in json.loads(shown.output)
        if entry["given"]
    ]
    assert given == [
        (f"User:scorer-of-{service}", kind, name, operation)
        for service in ("flight-delay", "flight-delay-class", "flight-delay-minutes")
        for kind, name, operation in (
            ("group", f"weir.scorer.{service}", "Read"),
            ("topic", "weir.batches", "Write"),
            ("topic", "weir.bundles", "Write"),
            ("topic", "weir.dead-letters", "Write"),
            ("topic", "weir.learner-snapshots", "Read"),
            ("topic", "weir.ledger", "Write"),
            ("topic", "weir.predictions", "Write"),
            ("topic", f"weir.requests.{service}", "Read"),
        )
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


@pytest.mark.timeout(1200)  # a worker for each of them, one after the other
def test_a_scorer_without_any_one_of_them_says_which_and_loses_nothing(listener: Secured, service: Service) -> None:
    service.send_rows(40)
    user, before = as_user(listener, service.settings, "weir-scorer"), set(service.look().answered)
    needed = [acl for acl in of_role(service.settings, "scorer") if acl.name not in OF_LEARNERS]
    for acl in some(acl for acl in needed if is_of(acl, service.name)):
        with without(service.settings, acl), service.worker(**user) as child:
            assert child.wait(START_S) == EX_CONFIG
            assert_refused(child.log_tail(), acl)
    assert set(service.look().answered) == before
    score_all(service, user)
    assert set(service.answered.values()) == {1}


def test_a_right_that_is_taken_from_a_running_scorer_ends_it_and_loses_nothing(
    listener: Secured, service: Service
) -> None:
    (acl,) = [acl for acl in of_role(service.settings, "scorer") if acl.name == "weir.predictions"]
    user = as_user(listener, service.settings, "weir-scorer")
    with service.worker(**user) as child:
        service.send_rows(40)
        until(service.all_answered, START_S, "every request answered")
        with without(service.settings, acl):
            service.send_rows(40)
            assert child.wait(START_S) == EX_CONFIG
            assert_refused(child.log_tail(), acl)
    score_all(service, user)
    assert set(service.answered.values()) == {1}


def is_of(acl: Acl, service: str) -> bool:
    """Not a acl on another service of the folder schemas/."""
    return service in acl.name or acl.name in RESULTS


@pytest.mark.timeout(1200)
def test_a_recorder_works_with_the_rights_of_its_role_and_says_which_one_it_lacks(
    listener: Secured, service: Service
) -> None:
    database = f"secured_{uuid4().hex[:8]}"
    with connect(service.settings.recording, database="") as admin:
        admin.command(f"CREATE DATABASE {database}")
    settings = service.settings.having(clickhouse_database=database)
    migrations.apply(settings.recording)
    grant(settings, acls(settings))  # the group has the database's name
    variables = {"clickhouse_database": database, "bundle": service.bundle, "session_timeout_s": 3}
    variables |= as_user(listener, settings, "weir-recorder")
    environment = {f"WEIR_{name.upper()}": str(value) for name, value in variables.items()}

    def recorder() -> Child:
        return service.stack.spawn(["worker", "recorder"], f"recorder-{uuid4().hex[:4]}", environment)

    for acl in some(of_role(settings, "recorder")):
        with without(settings, acl):
            child = recorder()
            assert child.wait(START_S) == EX_CONFIG
            assert_refused(child.log_tail(), acl)
            service.stack.forget(child)
    child = recorder()
    with connect(settings.recording) as client:
        count = "SELECT count(), uniqExact(prediction_id) FROM predictions"
        wanted = (len(service.look().predictions),) * 2
        until(lambda: client.query(count).first_row == wanted, START_S, "every prediction in ClickHouse, once")
    service.stack.forget(child)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.new(tmp_path_factory.mktemp("stranger") / "authority", "somebody else")


REFUSED = {
    "another password": (
        {"kafka_sasl_password": SecretStr("guessed")},
        r"rejects the credentials: .*SASL_PASSWORD",
    ),
    "another user": ({"kafka_sasl_username": "nobody"}, r"rejects the credentials: .*WEIR_KAFKA_SASL_USERNAME"),
    "an authority that did not sign": ({"kafka_ssl_ca_file": "{stranger}/ca.pem"}, r"no TLS connection .*SSL_CA_FILE"),
    "a certificate of another authority": (
        {"kafka_ssl_certificate_file": "{stranger}/me.pem", "kafka_ssl_key_file": "{stranger}/me.key"},
        r"no TLS connection to Kafka: .*WEIR_KAFKA_SSL_CERTIFICATE_FILE",
    ),
}


@pytest.fixture(params=REFUSED)
def refused(request: pytest.FixtureRequest, listener: Secured, stranger: Authority) -> tuple[Settings, str]:
    """Settings of a client that the listener rejects, and what it must be told."""
    stranger.sign("me", KEY_PASSWORD)
    changes, says = REFUSED[request.param]
    filled = {
        name: value.format(stranger=stranger.folder) if isinstance(value, str) else value
        for name, value in changes.items()
    }
    return listener.settings(load(), "weir-scorer").having(**filled), says


def test_who_is_rejected_is_told_why_from_the_first_question(refused: tuple[Settings, str]) -> None:
    settings, says = refused
    with pytest.raises(Refused, match=says):
        partitions_of(settings.kafka, "weir.predictions", timeout_s=LONG_S)


def test_who_is_rejected_is_told_why_from_a_write(refused: tuple[Settings, str]) -> None:
    settings, says = refused
    producer = Producer(settings.having(sink_budget_s=LONG_S).kafka, "tests")
    producer.write("weir.predictions", 0, [b"value"])
    with pytest.raises(Refused, match=says):
        producer.flush()


def announced(topic: str) -> list[Announced]:
    place = LogPartition("log", topic, 0)
    return [Announced("", place, offset, None, b"value", "none", "log", 0) for offset in range(3)]


def test_who_is_rejected_is_told_why_from_a_redrive(refused: tuple[Settings, str]) -> None:
    settings, says = refused
    with pytest.raises(Refused, match=says):
        send(settings.having(sink_budget_s=LONG_S).kafka, announced("weir.predictions"))


def test_who_may_not_write_requests_hears_so_from_a_redrive(listener: Secured, service: Service) -> None:
    settings = listener.settings(service.settings, "weir-scorer")
    with pytest.raises(Refused, match=r"Kafka denies access: 3 redriven records .*Topic authorization failed"):
        send(settings.kafka, announced(settings.kafka.names.requests(service.name)))


def test_who_is_rejected_is_told_why_from_the_group(refused: tuple[Settings, str]) -> None:
    settings, says = refused
    ready = threading.Event()
    poller = Poller(
        settings.kafka,
        "weir.scorer.x",
        ["weir.predictions"],
        on_ready=ready.set,
        on_assigned=lambda sources: None,
        on_revoked=lambda sources: None,
        drain_s=1.0,
    )
    poller.start()
    try:
        assert ready.wait(LONG_S)
        with pytest.raises(Refused, match=says):
            poller.holdings.take()
    finally:
        poller.stop(drain=False)


def test_a_worker_with_a_wrong_password_says_so_in_one_line(service: Service) -> None:
    with service.worker(kafka_sasl_password="guessed") as child:
        assert child.wait(START_S) == EX_CONFIG
        (line,) = child.log_tail().splitlines()
    assert re.fullmatch(r"weir: Kafka rejects the credentials: .*Authentication failed.*check WEIR_KAFKA_SASL_.*", line)


def test_a_file_that_is_not_there_is_named(listener: Secured) -> None:
    settings = listener.settings(load(), "weir-scorer").having(kafka_ssl_ca_file="/nowhere/ca.pem")
    with pytest.raises(Refused, match=r"librdkafka cannot use the Kafka settings: .*ssl\.ca\.location failed"):
        partitions_of(settings.kafka, "weir.predictions")


def assert_refused(log: str, acl: Acl) -> None:
    last = log.splitlines()[-1]
    assert last.startswith("weir: Kafka denies access: "), log
    assert f"{acl.kind.title()} authorization failed" in last
    assert acl.kind == "group" or acl.name in last
    assert last.endswith("grant what `weir topics acls` shows for this worker")
    assert "Traceback" not in log
