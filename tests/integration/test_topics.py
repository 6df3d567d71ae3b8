"""Topics as declared, made on a real broker and compared with it; and the commands that do it."""

from concurrent.futures import Future
from dataclasses import replace
from uuid import uuid4

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewPartitions, PartitionMetadata, TopicMetadata
from typer.testing import CliRunner
from weir.cli.topics import cli
from weir.core.errors import Refused, Unavailable
from weir.edges.kafka import topics
from weir.edges.kafka.client import client_config
from weir.edges.schemas.registry import Registry
from weir.settings import load

from tests.ports import free_port
from tests.waiting import WAIT_S, until

NOWHERE = f"127.0.0.1:{free_port()}"


def own(settings, name):
    """One declared topic under a name of the test's own, so that tests do not meet on the shared broker."""
    return replace(topics.declared(settings)[0], name=name)


def test_what_is_missing_is_made_and_what_is_there_is_left(stack):
    wanted = [own(stack.settings, "test-topics-a"), own(stack.settings, "test-topics-b")]
    assert topics.ensure(stack.settings, wanted[:1]) == ("test-topics-a",)
    assert topics.ensure(stack.settings, wanted) == ("test-topics-b",)
    assert topics.ensure(stack.settings, wanted) == ()
    assert [(found.partitions, found.faults) for found in topics.check(stack.settings, wanted)] == [(4, ()), (4, ())]


def test_differences_are_told_each(stack):
    made = own(stack.settings, "test-topics-c")
    topics.ensure(stack.settings, [made])
    wanted = [replace(made, partitions=8, retention_hours=1), own(stack.settings, "test-topics-none")]
    found = topics.check(stack.settings, wanted)
    assert found[0].faults == ("4 partitions, declared 8", "retention.ms 604800000, declared 3600000")
    assert found[1].faults == ("does not exist",)


def test_another_number_of_partitions_is_refused(stack):
    made = replace(own(stack.settings, "test-topics-d"), service="")  # requests may be given more
    topics.ensure(stack.settings, [made])
    with pytest.raises(Refused, match="topic test-topics-d has 4 partitions, declared are 3"):
        topics.ensure(stack.settings, [replace(made, partitions=3)])


def test_topics_that_follow_the_requests_get_as_many_partitions(stack):
    """Whoever gives a topic of requests more partitions runs `weir topics create` after it."""
    if stack.settings.embedded.embedded_broker == "tansu":
        pytest.skip("the embedded broker adds no partitions")
    settings = stack.settings.having(deployment=f"grown{uuid4().hex[:6]}", service="one")
    wanted = [topic for topic in topics.declared(settings) if topic.service in ("", "one")]
    topics.ensure(settings, wanted)
    requests = settings.kafka.names.requests("one")
    admin = AdminClient(client_config(settings.kafka, "tests"))
    admin.create_partitions([NewPartitions(requests, 6)])[requests].result(WAIT_S)
    names = settings.kafka.names
    following = {names.predictions, names.shadows, names.dead_letters, names.ledger}

    def faults():
        return {found.topic.name: found.faults for found in topics.check(settings, wanted) if found.faults}

    said = ("4 partitions, 6 are due: run `weir topics create`",)
    until(lambda: faults() == dict.fromkeys(following, said), WAIT_S, "the check to see the new partitions")
    with pytest.raises(Refused, match=r"4 partitions, 6 are due .*run `weir topics create`"):
        topics.ensure(settings, wanted)
    assert set(topics.extend(settings, wanted)) == following
    assert (topics.extend(settings, wanted), topics.ensure(settings, wanted), faults()) == ((), (), {})


def test_added_partitions_are_waited_for_until_each_is_there_and_led():
    """What a broker tells that has not heard of them yet, then of one without its leader."""
    told = TopicMetadata()
    for number, leader in enumerate((1, 1, -1)):
        found = PartitionMetadata()
        found.id, found.leader = number, leader
        assert not topics._led(told, 3)
        told.partitions[number] = found
    assert not topics._led(told, 3)
    told.partitions[2].leader = 1
    assert topics._led(told, 3)


@pytest.mark.parametrize(
    ("code", "error", "says"),
    [
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, Refused, "topic x was not made: not yours .*: correct schemas"),
        (KafkaError._TIMED_OUT, Unavailable, "Kafka does not answer"),
    ],
)
def test_a_topic_that_is_not_made_says_why(code, error, says):
    """The embedded broker takes every topic, so the answer of one that does not is put in its place."""
    answer: Future[None] = Future()
    answer.set_exception(KafkaException(KafkaError(code, "not yours")))
    with pytest.raises(error, match=says):
        topics._made(load(), "x", answer)


def test_a_topic_that_somebody_else_made_meanwhile_is_no_fault():
    answer: Future[None] = Future()
    answer.set_exception(KafkaException(KafkaError(KafkaError.TOPIC_ALREADY_EXISTS)))
    assert topics._made(load(), "x", answer) is False


@pytest.mark.parametrize("ask", [topics.ensure, topics.check])
def test_a_broker_that_is_not_there_is_unavailable(ask, monkeypatch):
    monkeypatch.setattr(topics, "REACH_S", 1.0)
    with pytest.raises(Unavailable, match=f"Kafka does not answer .{NOWHERE}.: start the broker or set WEIR_BROKERS"):
        ask(load(brokers=NOWHERE))


@pytest.fixture
def weir(stack, monkeypatch):
    """The command line against the running stack."""
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(cli, arguments)


def test_create_then_check_then_again(weir, stack):
    created = weir("create")
    assert created.exit_code == 0, created.output
    declared = topics.declared(stack.settings)
    assert all(topic.name in created.output for topic in declared)
    assert weir("check").exit_code == 0
    again = weir("create")
    assert again.exit_code == 0
    assert " created" not in again.output
    registry = Registry(stack.settings.registry)
    assert all(str(registry.contract(topic.subject).schema_id) in again.output for topic in declared)


def test_check_fails_when_something_is_missing(weir, monkeypatch):
    monkeypatch.setenv("WEIR_SERVICE", "not-yet")
    assert weir("create").exit_code == 1, "it has no contract"
    result = weir("check")
    assert result.exit_code == 1
    assert "weir.requests.not-yet" in result.output
    assert "does not exist" in result.output


def test_list_asks_nobody(monkeypatch):
    monkeypatch.setenv("WEIR_BROKERS", NOWHERE)
    monkeypatch.setenv("COLUMNS", "200")
    result = CliRunner().invoke(cli, ["list"])
    assert result.exit_code == 0, result.output
    for topic in topics.declared(load()):
        assert topic.name in result.output
