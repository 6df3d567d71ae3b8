"""Any request to the local schema registry gets an answer in JSON, and what it keeps can be read back."""

from __future__ import annotations

import json
from random import Random

import pytest
from starlette.testclient import TestClient
from weir.edges.embedded.registry_server.server import app
from weir.edges.embedded.registry_server.store import Store

from tests import examples
from tests.fuzz import mutate
from tests.fuzz.cases import fuzz, seeds, tried

pytestmark = pytest.mark.filterwarnings("ignore::avro.errors.AvroWarning")

ROUTES = (
    "/",
    "/subjects",
    "/subjects/{s}/versions",
    "/subjects/{s}",
    "/subjects/{s}/versions/{v}",
    "/config",
    "/config/{s}",
    "/subjects/{s}/versions/{v}/schema",
    "/schemas/types",
    "/schemas/ids/{i}",
    "/schemas/ids/{i}/schema",
    "/schemas/ids/{i}/versions",
    "/compatibility/subjects/{s}/versions",
    "/compatibility/subjects/{s}/versions/{v}",
)
SUBJECTS = ("a-value", "a-value", "b", "weir.outcomes-value", "%2F", "..", "%00", "x" * 300, "%ff", "%ed%a0%80", " ")
VERSIONS = ("1", "latest", "-1", "0", "99999999999999999999", "9" * 5000, "٣", "x", "%00")
IDS = ("1", "0", "-1", "2147483647", "9" * 5000, "x")
SCHEMAS = (
    '{"type": "record", "name": "A", "fields": [{"name": "x", "type": "long"}]}',
    '{"type": "record", "name": "A", "fields": [{"name": "x", "type": "double", "default": NaN}]}',
    '{"type": "record", "name": "A", "fields": [{"name": "a", "type": ["null", "A"], "default": null}]}',
    '"string"',
    '["null", "int"]',
    '{"type": "enum", "name": "E", "symbols": ["a"]}',
    '{"type": "fixed", "name": "F", "size": 4}',
    '{"type": "map", "values": "int"}',
    '{"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}',
    '{"type": "record", "name": "A", "fields": [{"name": "x", "type": "string", "default": "\\ud800"}]}',
    "[" * 5000,
    "9" * 5000,
    '{"type": {"type": {"type": "int"}}}',
    '{"type": "array", "items": ' * 300 + '"int"' + "}" * 300,
)
ODD = (None, True, 0, -1, 1e400, "", "x", [], {}, ["null"], {"type": "int"}, "long", "record", "\ud800", [[]])


def spoilt_schema(random: Random) -> str:
    text = random.choice(SCHEMAS)
    if random.random() < 0.5:
        return text
    if random.random() < 0.4:
        return mutate.spoilt(random, text.encode(), [other.encode() for other in SCHEMAS]).decode("utf-8", "replace")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return text
    places = list(_places(content))
    if places:
        holder, key = random.choice(places)
        holder[key] = random.choice(ODD)
    return json.dumps(content)


def _places(node):
    if isinstance(node, dict | list):
        for key in list(node) if isinstance(node, dict) else range(len(node)):
            yield node, key
            yield from _places(node[key])


def request(random: Random) -> tuple[str, str, bytes]:
    path = random.choice(ROUTES).format(s=random.choice(SUBJECTS), v=random.choice(VERSIONS), i=random.choice(IDS))
    if random.random() < 0.1:
        path += "?" + random.choice(("verbose=true", "verbose=" + "x" * 1000, "%", "a&b=%zz"))
    body: object = {"schema": spoilt_schema(random)}
    if random.random() < 0.3:
        body = random.choice(
            (
                {"schema": random.choice(ODD)},
                {"schemaType": "JSON"},
                {"compatibility": random.choice(("NONE", *ODD))},
                {"schema": '"int"', "references": [1]},
                *ODD,
            )
        )
    raw = json.dumps(body).encode()
    if random.random() < 0.15:
        raw = random.choice((mutate.spoilt(random, raw, [raw]), b"[" * 100_000, b"\xff\xfe", b"9" * 5000))
    return random.choice(("GET", "POST", "POST", "POST", "PUT", "DELETE")), path, raw


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="module")
def client(folder):
    with TestClient(app(Store(examples.SCHEMAS, folder / "state"))) as running:  # raises what an endpoint raises
        yield running


@fuzz("registry requests", seed=seeds())
def test_any_request_is_answered(client, seed):
    method, path, raw = request(Random(seed))
    answer = client.request(method, path, content=raw, follow_redirects=False)
    assert answer.status_code < 500, (method, path, raw)
    if answer.status_code >= 400:
        assert set(answer.json()) == {"error_code", "message"}
    if method == "POST" and answer.status_code == 200 and "id" in answer.json():
        kept = client.get(f"/schemas/ids/{answer.json()['id']}")
        assert json.loads(kept.json()["schema"]) is not None
    tried("registry requests")


def test_what_was_kept_is_read_again_after_a_restart(client, folder):
    with TestClient(app(Store(examples.SCHEMAS, folder / "state"))) as again:
        assert again.get("/subjects").json() == client.get("/subjects").json()
