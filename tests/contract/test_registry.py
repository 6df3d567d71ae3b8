"""The registry client against the local registry, over HTTP as Confluent's API says it."""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from starlette.testclient import TestClient
from weir.core.errors import Refused, Unavailable
from weir.edges.embedded.registry_server.server import app
from weir.edges.embedded.registry_server.store import Store
from weir.edges.schemas import registry as schema_registry
from weir.edges.schemas.folder import services, topics
from weir.edges.schemas.registry import Registry, publish
from weir.settings import ROOT, load

from tests import examples
from tests.kafka import clients
from tests.ports import free_port
from tests.waiting import WAIT_S, until

A1 = '{"type": "record", "name": "A", "fields": [{"name": "x", "type": "long"}]}'
A2 = A1.replace("]}", ', {"name": "y", "type": "int", "default": 0}]}')
A3 = '{"type": "record", "name": "A", "fields": [{"name": "z", "type": "long"}]}'


class Server:
    """The registry as its own process, restarted at will on the same port and state."""

    def __init__(self, schemas, state, before=""):
        """before: Python that runs first, in the same process."""
        self._before = before
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._args = ["--port", str(self.port), "--schemas", str(schemas), "--state", str(state)]
        self._process = None

    def start(self):
        module = "weir.edges.embedded.registry_server"
        program = f"{self._before}\nimport runpy; runpy.run_module('{module}', run_name='__main__', alter_sys=True)"
        command = [sys.executable, "-c", program, *self._args]
        self._process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
        until(self._answers, WAIT_S, "the registry")

    def _answers(self):
        assert self._process.poll() is None, self._process.stderr.read()
        try:
            return httpx.get(f"{self.url}/subjects", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self):
        if self._process:
            self._process.terminate()
            self._process.wait(WAIT_S)
            self._process.stderr.close()
            self._process = None


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("registry")
    running = Server(examples.SCHEMAS, folder / "state")
    running.start()
    yield running
    running.stop()


@pytest.fixture
def registry(server):
    return Registry(load(registry_url=server.url).registry)


def test_contracts_of_the_folder_are_there(registry):
    for topic in topics(examples.SCHEMAS, services(examples.SCHEMAS), "weir"):
        contract = registry.contract(topic.subject)
        assert contract.schema == examples.contract(topic.record).schema
        assert contract.version == examples.contract(topic.record).version
        assert registry.contract(topic.subject, contract.version) == contract
        assert registry.schema_text(contract.schema_id) == contract.schema


def test_publishing_what_is_there_changes_nothing(registry):
    declared = topics(examples.SCHEMAS, services(examples.SCHEMAS), "weir")
    ids = publish(registry, examples.SCHEMAS, declared)
    assert ids == {topic.subject: registry.contract(topic.subject).schema_id for topic in declared}
    assert all(registry.contract(topic.subject).version == 1 for topic in declared)


def test_a_new_version_is_the_latest_and_the_old_keeps_its_id(registry):
    first, second = registry.register("evolving-value", A1), registry.register("evolving-value", A2)
    assert registry.register("evolving-value", A1) == first
    assert registry.register("evolving-value", json.dumps(json.loads(A2), indent=3)) == second
    assert registry.contract("evolving-value").schema_id == second
    assert registry.contract("evolving-value", 1).schema_id == first


def test_the_same_schema_has_the_same_id_under_every_subject(registry):
    assert registry.register("one-value", A1) == registry.register("other-value", A1)


@pytest.mark.parametrize(
    ("schema", "says"), [(A3, "incompatible"), ("{", "not an Avro schema"), ('"lon"', "not an Avro schema")]
)
def test_what_breaks_readers_is_refused(registry, schema, says):
    registry.register("strict-value", A1)
    with pytest.raises(Refused, match=says):
        registry.register("strict-value", schema)


def test_what_is_not_there_is_refused_with_the_way_out(registry):
    with pytest.raises(Refused, match=r"subject nothing-value is not in the schema registry .*weir topics create"):
        registry.contract("nothing-value")
    registry.register("short-value", A1)
    with pytest.raises(Refused):
        registry.contract("short-value", 9)


def test_an_unknown_id_is_none_and_asked_again_later(server):
    now = [0.0]
    registry = Registry(load(registry_url=server.url).registry, now=lambda: now[0])
    asked = []
    ask = registry._client.get_schema
    registry._client.get_schema = lambda schema_id: (asked.append(schema_id), ask(schema_id))[1]
    assert registry.schema_text(12345) is None
    assert registry.schema_text(12345) is None
    assert asked == [12345]
    now[0] = schema_registry.UNKNOWN_FOR_S + 1
    assert registry.schema_text(12345) is None
    assert asked == [12345, 12345]


def test_a_flood_of_unknown_ids_is_not_a_flood_of_questions(server, monkeypatch):
    monkeypatch.setattr(schema_registry, "UNKNOWN_MAX", 5)
    now = [0.0]
    registry = Registry(load(registry_url=server.url).registry, now=lambda: now[0])
    asked = []
    ask = registry._client.get_schema
    registry._client.get_schema = lambda schema_id: (asked.append(schema_id), ask(schema_id))[1]
    assert [registry.schema_text(i) for i in range(1000, 1020)] == [None] * 20
    assert len(asked) == 5
    now[0] = schema_registry.UNKNOWN_FOR_S + 1
    schema_id = registry.register("after-the-flood-value", A1)
    assert registry.schema_text(schema_id) == A1


def test_a_restart_keeps_ids_and_what_was_registered(tmp_path):
    schemas = tmp_path / "schemas"
    shutil.copytree(examples.SCHEMAS, schemas)
    running = Server(schemas, tmp_path / "state")
    running.start()
    try:
        before = Registry(load(registry_url=running.url).registry)
        kept = before.register("kept-value", A1), before.register("kept-value", A2)
        contract = before.contract("weir.predictions-value")
        running.stop()
        running.start()
        after = Registry(load(registry_url=running.url).registry)
        assert (after.contract("kept-value", 1).schema_id, after.contract("kept-value").schema_id) == kept
        assert after.contract("weir.predictions-value") == contract
        assert after.schema_text(kept[0]) == A1
    finally:
        running.stop()
    assert {p.relative_to(schemas) for p in schemas.rglob("*")} == {
        p.relative_to(examples.SCHEMAS) for p in examples.SCHEMAS.rglob("*")
    }, "schemas/ is only read"


def test_a_registry_that_is_not_there_is_unavailable():
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(Unavailable, match=r"the schema registry does not answer .*WEIR_REGISTRY_URL"):
        Registry(load(registry_url=url).registry).contract("x-value")
    with pytest.raises(Refused, match=r"WEIR_REGISTRY_URL: write a URL"):
        Registry(load(registry_url="ftp://elsewhere").registry)


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:1", "socks5://127.0.0.1:1"])
def test_no_proxy_stands_before_this_machine(server, monkeypatch, proxy):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for host in ("127.0.0.1", "localhost"):
        registry = Registry(load(registry_url=f"http://{host}:{server.port}", registry_auth="user:word").registry)
        assert registry.contract("weir.predictions-value").version == 1
    if proxy.startswith("http:"):
        with pytest.raises(Unavailable):  # the world is asked through it
            Registry(load(registry_url="http://registry.example:80").registry).contract("weir.predictions-value")


@pytest.fixture
def http(tmp_path):
    return TestClient(app(Store(examples.SCHEMAS, tmp_path / "state")))


def test_errors_have_the_registrys_codes(http):
    body = {"schema": A1}
    http.post("/subjects/a-value/versions", json=body)
    for method, path, content, status, code in [
        ("GET", "/subjects/none/versions", None, 404, 40401),
        ("GET", "/subjects/a-value/versions/2", None, 404, 40402),
        ("GET", "/subjects/a-value/versions/two", None, 422, 42202),
        ("GET", "/subjects/a-value/versions/0", None, 422, 42202),
        ("GET", "/schemas/ids/1", None, 404, 40403),
        ("POST", "/subjects/a-value", {"schema": A3}, 404, 40403),
        ("POST", "/subjects/a-value/versions", {"schema": A3}, 409, 409),
        ("POST", "/subjects/a-value/versions", {"schema": "{"}, 422, 42201),
        ("POST", "/subjects/a-value/versions", {"schema": A1, "schemaType": "JSON"}, 422, 42201),
        ("POST", "/subjects/a-value/versions", [1], 422, 42201),
        ("PUT", "/config/a-value", {"compatibility": "SOMETIMES"}, 422, 42203),
        ("PATCH", "/subjects/a-value", None, 405, 405),
        ("GET", "/config/a-value", None, 404, 40408),
        ("GET", "/mode/a-value", None, 404, 40409),
        ("PUT", "/mode/a-value", {"mode": "IMPORT"}, 422, 42204),
        ("DELETE", "/subjects/none", None, 404, 40401),
        ("DELETE", "/subjects/a-value?permanent=true", None, 404, 40405),
        ("DELETE", "/subjects/a-value/versions/1?permanent=true", None, 404, 40407),
        ("DELETE", "/subjects/weir.predictions-value", None, 422, 42205),
        ("GET", "/nowhere", None, 404, 404),
    ]:
        answer = http.request(method, path, json=content) if content is not None else http.request(method, path)
        assert (answer.status_code, answer.json()["error_code"]) == (status, code), (method, path, content)
        assert answer.headers["content-type"] == "application/vnd.schemaregistry.v1+json"


def test_the_rest_of_the_api_that_tools_use(http):
    schema_id = http.post("/subjects/a-value/versions", json={"schema": A1}).json()["id"]
    assert http.get("/subjects/a-value/versions").json() == [1]
    assert http.get("/subjects/a-value/versions/latest/schema").json() == json.loads(A1)
    assert http.get(f"/schemas/ids/{schema_id}/versions").json() == [{"subject": "a-value", "version": 1}]
    assert http.get(f"/schemas/ids/{schema_id}/schema").json() == json.loads(A1)
    assert http.get("/schemas/types").json() == ["AVRO"]
    assert http.post("/subjects/a-value", json={"schema": A1}).json()["version"] == 1
    check = "/compatibility/subjects/a-value/versions"
    assert http.post(f"{check}/latest", json={"schema": A2}).json() == {"is_compatible": True}
    answer = http.post(check, params={"verbose": "true"}, json={"schema": A3}).json()
    assert answer["is_compatible"] is False
    assert answer["messages"]


@pytest.mark.parametrize(
    ("level", "allowed"),
    [("NONE", True), ("BACKWARD", False), ("FORWARD", True), ("FULL", False), ("FORWARD_TRANSITIVE", True)],
)
def test_levels_are_honoured(http, level, allowed):
    """From a record to one with a field more and no default: only old readers can read it."""
    assert http.get("/config").json() == {"compatibilityLevel": "BACKWARD_TRANSITIVE"}
    http.post("/subjects/a-value/versions", json={"schema": A1})
    http.put("/config/a-value", json={"compatibility": level.lower()})
    assert http.get("/config/a-value").json() == {"compatibilityLevel": level}
    more = json.loads(A1)
    more["fields"].append({"name": "more", "type": "int"})
    answer = http.post("/subjects/a-value/versions", json={"schema": json.dumps(more)})
    assert (answer.status_code == 200) == allowed


def test_a_subject_has_no_level_of_its_own_until_it_is_set(http):
    http.post("/subjects/a-value/versions", json={"schema": A1})
    everybodys = {"compatibilityLevel": "BACKWARD_TRANSITIVE"}
    assert http.get("/config/a-value", params={"defaultToGlobal": "true"}).json() == everybodys
    http.put("/config/a-value", json={"compatibility": "FULL"})
    assert http.delete("/config/a-value").json() == {"compatibilityLevel": "FULL"}
    assert http.get("/config/a-value").json()["error_code"] == 40408


@pytest.mark.parametrize("subject", ["", "a-value", "a.json", ".json", "../a/b", "%2e", "\u00e9"])
def test_what_was_set_for_a_subject_or_for_all_outlives_a_restart(tmp_path, subject):
    """The empty name is the registry itself."""
    before = Store(examples.SCHEMAS, tmp_path)
    before.set_level(subject, "NONE")
    before.set_mode(subject, "READONLY")
    after = Store(examples.SCHEMAS, tmp_path)
    assert (after.own_level(subject), after.own_mode(subject)) == ("NONE", "READONLY")
    assert (after.level("x"), after.mode("x")) == (
        ("BACKWARD_TRANSITIVE", "READWRITE") if subject else ("NONE", "READONLY")
    )


def test_a_subject_is_deleted_softly_and_then_for_good(tmp_path):
    def opened():
        return TestClient(app(Store(examples.SCHEMAS, tmp_path / "state")))

    http, path = opened(), "/subjects/a-value"
    first, second = (http.post(f"{path}/versions", json={"schema": text}).json()["id"] for text in (A1, A2))
    assert http.delete(f"{path}/versions/1").json() == 1
    assert http.delete(f"{path}/versions/1").json()["error_code"] == 40406
    assert http.get(f"{path}/versions").json() == [2]
    assert http.get(f"{path}/versions", params={"deleted": "true"}).json() == [1, 2]
    assert http.get(f"{path}/versions/1").json()["error_code"] == 40402
    assert http.get(f"/schemas/ids/{first}").status_code == 200  # records of it can be read
    assert http.get(f"/schemas/ids/{first}/subjects").json() == []
    assert http.get(f"/schemas/ids/{first}/subjects", params={"deleted": "true"}).json() == ["a-value"]
    assert http.delete(f"{path}/versions/1", params={"permanent": "true"}).json() == 1
    assert http.get(f"/schemas/ids/{first}").json()["error_code"] == 40403

    http = opened()  # as after a restart
    assert http.get(f"{path}/versions").json() == [2]
    assert http.delete(path).json() == [2]
    assert http.delete(path).json()["error_code"] == 40404
    assert "a-value" not in http.get("/subjects").json()
    assert "a-value" in http.get("/subjects", params={"deleted": "true"}).json()

    http = opened()
    assert http.post(f"{path}/versions", json={"schema": A3}).json()["id"] not in (first, second)  # compared with none
    assert http.get(f"{path}/versions").json() == [3]  # a number is given once
    assert http.delete(path).json() == [3]
    assert http.delete(path, params={"permanent": "true"}).json() == [2, 3]
    assert http.get(f"{path}/versions", params={"deleted": "true"}).json()["error_code"] == 40401


def test_a_subject_that_is_read_only_takes_nothing(http):
    assert http.get("/mode").json() == {"mode": "READWRITE"}
    http.put("/mode/a-value", json={"mode": "READONLY"})
    assert http.get("/mode/a-value").json() == {"mode": "READONLY"}
    assert http.post("/subjects/a-value/versions", json={"schema": A1}).json()["error_code"] == 42205
    assert http.delete("/mode/a-value").json() == {"mode": "READONLY"}
    assert http.post("/subjects/a-value/versions", json={"schema": A1}).status_code == 200


def test_messages_say_what_clients_look_for(http):
    http.post("/subjects/a-value/versions", json={"schema": A1})
    for method, path, content, says in [
        ("POST", "/subjects/a-value/versions", {"schema": "{"}, "Invalid schema"),
        (
            "POST",
            "/subjects/a-value/versions",
            {"schema": A3},
            "Schema being registered is incompatible with an earlier schema",
        ),
        ("PUT", "/config", {"compatibility": "SOMETIMES"}, "Invalid compatibility level"),
    ]:
        assert http.request(method, path, json=content).json()["message"].startswith(says)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost:{port}"}, 200),
        ({"Origin": "http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "http://localhost:3000"}, 403),  # another server of this machine
        ({"Origin": "http://localhost"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1.evil.example:{port}"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Host": "evil.example"}, 403),  # a name of theirs that points to 127.0.0.1
        ({"Host": "LOCALHOST"}, 200),
        ({"Host": "localhost:81"}, 200),
        ({"Host": "[::1]:81"}, 200),
    ],
)
def test_a_page_of_another_origin_is_not_answered(server, headers, status):
    sent = {name: value.format(port=httpx.URL(server.url).port) for name, value in headers.items()}
    with httpx.Client(
        base_url=server.url, trust_env=False, timeout=WAIT_S, headers={"Content-Type": "text/plain", **sent}
    ) as http:
        assert http.get("/subjects").status_code == status
        body = json.dumps({"schema": A1})
        assert http.post("/subjects/foreign-value/versions", content=body).status_code == status


def test_a_body_is_bounded(server):
    with httpx.Client(base_url=server.url, trust_env=False, timeout=WAIT_S) as http:
        large = (b"x" * 65536 for _ in range(100))
        try:
            assert http.post("/subjects/large-value/versions", content=large).status_code == 413
        except httpx.NetworkError:  # it stopped reading before all was sent
            assert http.get("/subjects").status_code == 200


def test_half_requests_are_given_up(tmp_path):
    """Half a head, half a body, and half a head after a whole request; others are answered meanwhile."""
    program = "from weir.edges.embedded.registry_server import guard; guard.HEARD_WITHIN_S = 5.0"
    running = Server(examples.SCHEMAS, tmp_path / "state", before=program)
    running.start()
    try:
        halves = [
            b"GET /subjects HTTP/1.1\r\nHost: localhost\r\n",
            b"POST /subjects/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf",
            b"GET /subjects HTTP/1.1\r\nHost: localhost\r\n\r\nGET /subjects HT",
        ]
        with ExitStack() as wires:
            open_ones = []
            for half in halves * 20:
                one = wires.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=WAIT_S))
                one.sendall(half)
                open_ones.append(one)
            assert httpx.get(f"{running.url}/subjects", trust_env=False, timeout=WAIT_S).status_code == 200
            for one in open_ones:
                while one.recv(65536):  # ends when the server has closed it
                    pass
    finally:
        running.stop()


KAFKAJS = """
const { SchemaRegistry, SchemaType } = require('@kafkajs/confluent-schema-registry')
const registry = new SchemaRegistry({ host: process.argv[1] })
const schema = JSON.stringify({ type: 'record', namespace: 'lab', name: 'A', fields: [{ name: 'x', type: 'int' }] })
registry.register({ type: SchemaType.AVRO, schema }).then(
  async found => console.log(found.id, (await registry.decode(await registry.encode(found.id, { x: 1 }))).x),
  error => { console.error(error.name + ': ' + error.message); process.exit(1) })
"""


def test_kafkajs_registers_with_its_defaults(server):
    folder = clients.node_modules()
    done = subprocess.run(["node", "-e", KAFKAJS, server.url], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1] == "1"


def test_transitive_looks_at_every_version(http):
    """v1 has y as int, v2 drops it, v3 brings it back as text: v3 reads v2, and cannot read v1."""

    def with_y(*more):
        raw = json.loads(A1)
        raw["fields"] += more
        return json.dumps(raw)

    v3 = with_y({"name": "y", "type": "string", "default": ""})
    for name, level, status in (("t", "BACKWARD_TRANSITIVE", 409), ("b", "BACKWARD", 200)):
        http.put(f"/config/{name}", json={"compatibility": level})
        assert http.post(f"/subjects/{name}/versions", json={"schema": A2}).status_code == 200
        assert http.post(f"/subjects/{name}/versions", json={"schema": A1}).status_code == 200
        assert http.post(f"/subjects/{name}/versions", json={"schema": v3}).status_code == status


def test_a_spoilt_state_file_is_named(tmp_path):
    (tmp_path / "subjects").mkdir()
    (tmp_path / "subjects" / "a-value.json").write_text("{")
    with pytest.raises(Refused, match=r"a-value\.json"):
        Store(examples.SCHEMAS, tmp_path)
