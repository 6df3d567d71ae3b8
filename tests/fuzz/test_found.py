"""What fuzzing found, each case by itself: once an error or a hang, now an answer."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from onnx import TensorProto, helper
from starlette.testclient import TestClient
from weir.core.errors import Refused
from weir.edges.bundles import checks, folder
from weir.edges.bundles.onnx_model import Model
from weir.edges.embedded.registry_server.server import app
from weir.edges.embedded.registry_server.store import Store

from tests import examples
from tests.bundles import tiny_bundle
from tests.fuzz.test_bundles import opened
from tests.fuzz.test_facade import exchanged

pytestmark = pytest.mark.filterwarnings("ignore::avro.errors.AvroWarning")


@pytest.mark.parametrize(
    "lines",
    [
        b"POST //[ HTTP/1.1",
        b"POST / HTTP/1.1\r\nAuthorization: Basic \xc3\xa9",
        b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000,
        b"POST /?database=%FF%00 HTTP/1.1\r\nContent-Length: 0",
        b"GET /?query=SELECT+1&readonly=9 HTTP/1.1",
    ],
)
def test_the_embedded_clickhouse_answers(facade, lines):
    answer = exchanged(facade.port, lines + b"\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 ")
    assert b"Traceback" not in facade.child.log.read_bytes()


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with TestClient(app(Store(examples.SCHEMAS, tmp_path_factory.mktemp("registry")))) as running:
        yield running


NAN = '{"type": "record", "name": "A", "fields": [{"name": "x", "type": "double", "default": NaN}]}'
SURROGATE = '{"type": "record", "name": "A", "fields": ["\\ud800"]}'


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/schemas/ids/" + "9" * 5000, b"", 404),
        ("POST", "/subjects/" + "x" * 300 + "/versions", json.dumps({"schema": '"int"'}).encode(), 422),
        ("PUT", "/config/" + "x" * 300, b'{"compatibility": "NONE"}', 422),
        ("POST", "/subjects/a/versions", json.dumps({"schema": NAN}).encode(), 422),
        ("POST", "/subjects/a/versions", json.dumps({"schema": SURROGATE}).encode(), 422),
        ("POST", "/subjects/a/versions", json.dumps({"schema": "[" * 5000}).encode(), 422),
        ("POST", "/subjects/a/versions", b"[" * 100_000, 422),
    ],
)
def test_the_registry_answers(registry, method, path, body, status):
    answer = registry.request(method, path, content=body)
    assert answer.status_code == status
    assert set(answer.json()) == {"error_code", "message"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return tiny_bundle(tmp_path_factory.mktemp("bundle"))


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.drop_columns("amount"),
        lambda table: table.slice(0, 0),
        lambda table: table.set_column(0, "amount", pa.array(["x"] * len(table))),
        lambda table: pa.table({name: np.zeros(checks.GOLDEN_ROWS_MAX + 1) for name in table.column_names}),
        lambda table: table.set_column(0, "amount", pa.array([[1.0]] * len(table))),
    ],
)
def test_golden_rows_that_cannot_be_scored_are_refused(bundle, change):
    table = pq.read_table(bundle / folder.GOLDEN)
    assert isinstance(opened(bundle, {folder.GOLDEN: _parquet(change(table))}), Refused)


@pytest.mark.parametrize("cut", [0, 4, 40, -1])
def test_golden_rows_that_are_no_parquet_are_refused(bundle, cut):
    assert isinstance(opened(bundle, {folder.GOLDEN: (bundle / folder.GOLDEN).read_bytes()[:cut]}), Refused)


@pytest.mark.parametrize("name", [b"weir.owner", b"score", b"weir.service"])
def test_a_name_in_a_graph_that_is_not_text_is_refused(bundle, name):
    raw = (bundle / folder.MODEL).read_bytes()
    assert isinstance(opened(bundle, {folder.MODEL: raw.replace(name, b"\xb1" + name[1:])}), Refused)


def graph(nodes: list[onnx.NodeProto], width: int) -> bytes:
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, width])
    given = helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, 1])
    three = helper.make_tensor("three", TensorProto.INT64, [2], [3, 1])
    body = helper.make_graph(nodes, "g", [taken], [given], [three])
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()


@pytest.mark.parametrize(
    "model",
    [
        graph([helper.make_node("Identity", ["x"], ["score"])], 2**31),  # a terabyte to warm up
        graph([helper.make_node("ReduceMax", ["x"], ["score"])], 4),  # one score for all rows
        graph([helper.make_node("Reshape", ["x", "three"], ["score"])], 4),  # fails on any other number of rows
    ],
)
def test_a_graph_that_is_not_what_it_says_is_refused(tmp_path, bundle, model):
    path = tmp_path / "model.onnx"
    path.write_bytes(model)
    try:
        Model(path)
    except Refused:
        return
    assert isinstance(opened(bundle, {folder.MODEL: model}), Refused)
