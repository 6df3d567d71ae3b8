"""`weir reproduce` from end to end: what a scorer answered comes out the same, and what was changed since is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clickhouse_connect.driver import Client
from typer.testing import CliRunner
from weir.core.errors import Refused, Unavailable
from weir.edges.bundles import folder, writer
from weir.edges.clickhouse import migrations
from weir.edges.clickhouse.client import connect
from weir.edges.embedded.stack import Stack
from weir.edges.kafka.topics import declared
from weir.edges.schemas.registry import publish
from weir.operations.trial import envelope

from tests import tails, trees
from tests import tiny_requests as tiny
from tests.bundles import graph, tiny_bundle
from tests.ports import free_port
from tests.service_under_test import Service
from tests.waiting import START_S, until

pytestmark = pytest.mark.one_broker("tansu")

ROWS = 40


class Recorded:
    """A service whose answers are recorded, and the command that makes them again."""

    def __init__(self, service: Service, environment: dict[str, str], client: Client) -> None:
        self.service, self.environment, self.client = service, environment, client
        found = client.query(
            f"SELECT toString(prediction_id) FROM predictions WHERE service = '{service.name}' ORDER BY source_offset"
        )
        self.ids = [name for (name,) in found.result_rows]

    def change(self, name: str, **columns: str) -> None:
        """Set columns of a recorded prediction, by expressions."""
        values = ", ".join(f"{column} = {expression}" for column, expression in columns.items())
        where = f"WHERE prediction_id = toUUID('{name}')"
        self.client.command(f"ALTER TABLE predictions UPDATE {values} {where}", settings={"mutations_sync": 1})

    def reproduce(self, *arguments: str, status: int, **others: str) -> Any:
        from tests.command_line import cli

        done = CliRunner().invoke(cli, ["reproduce", "--json", *arguments], env=self.environment | others)
        assert done.exit_code == status, (done.output, done.exception)
        return json.loads(done.stdout)

    def differences(self, name: str) -> str:
        (one,) = self.reproduce(name, status=1)
        assert not one["same"]
        return "; ".join(one["differences"])


@contextmanager
def recording(stack: Stack, service: Service, values: list[bytes | None]) -> Iterator[Recorded]:
    """The answers to these requests, recorded."""
    publish(service.registry, stack.settings.paths.schemas_dir, declared(stack.settings))
    recording = stack.settings.having(clickhouse_database=f"again_{uuid4().hex[:6]}").recording
    migrations.apply(recording)
    environment = stack.environment | {
        "WEIR_CLICKHOUSE_DATABASE": recording.clickhouse_database,
        "WEIR_BUNDLES_DIR": str(service.bundle.parent),
        "WEIR_SERVICE": service.name,
    }
    recorder = stack.spawn(["worker", "recorder"], recording.clickhouse_database, environment)
    client = connect(recording)

    whole = """
        SELECT count() FROM predictions WHERE service = {service:String} AND empty(packed)
        AND batch_id IN (SELECT batch_id FROM batches) AND digest IN (SELECT digest FROM bundles)
    """

    def answers() -> int:
        """Recorded with their batches, and by the names that their bundles give."""
        return int(client.query(whole, parameters={"service": service.name}).first_row[0])

    try:
        with service.worker():
            service.send(1, values)
            until(lambda: answers() == len(values), START_S, "the answers")
        yield Recorded(service, environment, client)
    finally:
        stack.forget(recorder)


@pytest.fixture
def recorded(stack: Stack, tmp_path: Path) -> Iterator[Recorded]:
    service = Service(stack, tmp_path)
    with recording(stack, service, list(service.encoder.encode(tiny.rows(ROWS)))) as found:
        yield found


def test_every_digit_is_recorded_and_comes_out_again(stack: Stack, tmp_path: Path) -> None:
    opened, given = tails.bundle(tmp_path, name := f"tails-{uuid4().hex[:6]}"), tails.rows()
    signature = opened.bundle.signature
    service = Service(stack, tmp_path, name, lambda folder, name: opened.path, signature)
    columns = envelope(signature, len(given)) | {name: given[name].combine_chunks() for name in given.column_names}
    columns["count"] = columns["count"].cast(pa.int64())
    values = list(service.encoder.encode(pa.RecordBatch.from_pydict(columns)))
    with recording(stack, service, values) as recorded:
        found = recorded.client.query(
            f"SELECT longs['account'], longs['count'], doubles['ratio'], features['amount'], features['account'] "
            f"FROM predictions WHERE service = '{name}' ORDER BY source_offset"
        ).result_rows
        near = np.array(tails.ACCOUNTS, np.float32).tolist()
        wanted = (given[name].to_pylist() for name in ("account", "count", "ratio", "amount"))
        assert found == list(zip(*wanted, near, strict=True))
        for one in recorded.reproduce(*recorded.ids, status=0):
            assert (one["same"], one["differences"], one["request"]) == (True, [], "gives the same inputs")
        recorded.change(recorded.ids[0], longs="mapUpdate(longs, map('account', longs['account'] + 1))")
        said = recorded.differences(recorded.ids[0])
        assert "score " in said
        assert f"input account = {2**60 + 8} was recorded, the record in the log gives {2**60 + 7}" in said


def forest_bundle(into: Path, name: str) -> Path:
    """A bundle of trees over the tiny service's inputs."""
    path, rng = tiny_bundle(into, service=name), np.random.default_rng(1)
    tables = {name: pq.read_table(path / f"{name}.parquet") for name in ("golden", "baseline")}
    leaf = {"weigh": lambda _: {0: np.float32(rng.normal())}}
    forest = [trees.tree(rng, 31, 4, ("LEQ",), **leaf) for _ in range(20)]
    model = trees.old(forest, 4, 1)
    trees.then(model, "Sigmoid")
    model.graph.node[-1].output[0] = model.graph.output[0].name = "score"
    bundle = replace(folder.read(path).bundle, version="2", tolerance=1.0)
    return writer.build(bundle, model, card="# trees\n", into=path.parent, **tables)


def test_rows_are_made_again_by_the_engine_that_scored_them_whichever_is_asked_for(
    stack: Stack, tmp_path: Path
) -> None:
    service = Service(stack, tmp_path, bundle_of=forest_bundle)
    values = list(service.encoder.encode(tiny.rows(ROWS)))
    with recording(stack, service, values) as recorded:
        for asked in ("auto", "onnxruntime"):
            for one in recorded.reproduce(*recorded.ids, "--no-requests", status=0, WEIR_ENGINE=asked):
                assert (one["engine"], one["same"], one["differences"], one["runtime"]) == (
                    "weir-trees-1",
                    True,
                    [],
                    [],
                )
        other = "replaceOne(runtime, 'weir-trees-1', 'onnxruntime')"
        recorded.client.command(f"ALTER TABLE bundles UPDATE runtime = {other} WHERE 1", settings={"mutations_sync": 1})
        found = recorded.reproduce(*recorded.ids, "--no-requests", status=1)
        assert {one["engine"] for one in found} == {"onnxruntime"}


def test_answers_come_out_the_same_and_what_was_changed_is_named(recorded: Recorded, tmp_path: Path) -> None:
    ids = recorded.ids
    check_all_are_the_same(recorded)
    recorded.change(ids[0], score="reinterpretAsFloat32(bitXor(reinterpretAsUInt32(score), 1))")
    assert "was recorded, here it is" in (said := recorded.differences(ids[0]))
    assert "(1 float32 apart)" in said
    recorded.change(ids[1], features="mapUpdate(features, map('amount', toFloat32(1)))")
    assert "request: input amount = 1 was recorded, the record in the log gives 79.19" in recorded.differences(ids[1])
    recorded.change(ids[2], decision="if(decision = 'positive', 'negative', 'positive')")
    assert recorded.differences(ids[2]).startswith("decision '")
    recorded.change(ids[3], request_id="'another'", contract_id="contract_id + 1")
    assert "request_id 'another' was recorded, the record in the log has 'request-3'" in recorded.differences(ids[3])
    assert "request: contract " in recorded.differences(ids[3])
    recorded.change(ids[3], texts="mapUpdate(texts, map('channel', 'fax'))")
    assert "request: channel 'fax' was recorded, the record in the log has 'web'" in recorded.differences(ids[3])
    recorded.change(ids[4], outputs="map('none', toFloat32(0.5))")
    assert "output none 0.5 was recorded, here it is nan" in recorded.differences(ids[4])
    recorded.change(ids[4], outputs="map()")
    recorded.change(ids[4], source_log="'a-log-of-that-name-before'")
    (gone,) = recorded.reproduce(ids[4], status=0)
    assert (gone["same"], gone["request"]) == (True, "no longer in the log")
    check_bundles(recorded, ids[5:8], tmp_path)
    check_runtime(recorded, ids[8])
    check_usage(recorded, ids[9])


def check_all_are_the_same(recorded: Recorded) -> None:
    found = recorded.reproduce(*recorded.ids, status=0)
    assert len(found) == ROWS
    for one in found:
        assert (one["same"], one["differences"], one["runtime"]) == (True, [], [])
        assert one["engine"] == "onnxruntime"
        assert one["request"] == "gives the same inputs"
        assert one["score"] == one["again"]
    (alone,) = recorded.reproduce(recorded.ids[0], "--no-requests", status=0, WEIR_BROKERS=f"127.0.0.1:{free_port()}")
    assert (alone["same"], alone["request"]) == (True, "not asked for")
    question = """
        SELECT count(), uniqExact(batch.runtime_id), min(notEmpty(bundle.runtime)), min(bundle.threshold = 0.5)
        FROM predictions AS p
        JOIN batches AS batch ON batch.batch_id = p.batch_id
        JOIN bundles AS bundle ON bundle.digest = p.digest AND bundle.runtime_id = batch.runtime_id
        WHERE p.service = {service:String}
    """
    said = recorded.client.query(question, parameters={"service": recorded.service.name})
    assert said.first_row == (ROWS, 1, 1, 1)


def check_bundles(recorded: Recorded, ids: list[str], tmp_path: Path) -> None:
    """Another bundle under the row's digest, none, and one that was changed."""
    service = recorded.service
    other = another(service.bundle)
    recorded.change(ids[0], digest=f"'{other.name[:12]}'")
    assert "was recorded, here it is" in recorded.differences(ids[0])
    recorded.change(ids[1], digest="'000000000000'")
    assert "there is no bundle 000000000000" in recorded.differences(ids[1])
    changed = tmp_path / "changed"
    shutil.copytree(service.bundle, changed / service.bundle.name)
    with (changed / service.bundle.name / "card.md").open("a") as card:
        card.write("!")
    (one,) = recorded.reproduce(ids[2], status=1, WEIR_BUNDLES_DIR=str(changed))
    assert "bundle was changed after it was built: card.md differs" in one["differences"][0]
    assert one["again"] is None


def another(path: Path) -> Path:
    """A bundle of the same service beside that one, whose model gives other scores."""
    tables = {name: pq.read_table(path / f"{name}.parquet") for name in ("golden", "baseline")}
    bundle = replace(folder.read(path).bundle, version="2", tolerance=1.0)
    model = graph([0.5, -1.5, 0.25, 2.0])
    return writer.build(bundle, model, card="# other\n", into=path.parent, **tables)


def check_runtime(recorded: Recorded, name: str) -> None:
    """Another runtime with the same bits is said, and is no difference."""
    other = 'replaceRegexpOne(runtime, \'onnxruntime": "[^"]+\', \'onnxruntime": "1.2.3\')'
    recorded.client.command(f"ALTER TABLE bundles UPDATE runtime = {other} WHERE 1", settings={"mutations_sync": 1})
    (one,) = recorded.reproduce(name, status=0)
    assert one["runtime"][0].startswith("onnxruntime 1.2.3, here ")


def check_usage(recorded: Recorded, name: str) -> None:
    from tests.command_line import cli

    def run(*arguments: str, **others: str) -> Any:
        return CliRunner().invoke(
            cli, ["reproduce", *arguments], env=recorded.environment | {"COLUMNS": "300"} | others
        )

    shown = run(name)
    assert shown.exit_code == 0
    assert f"same  {name}  " in shown.output
    assert "its request: gives the same inputs" in shown.output
    assert "1 of 1 the same" in shown.output
    request = recorded.client.query(f"SELECT request_id FROM predictions WHERE prediction_id = '{name}'").first_row[0]
    by_request = run(request, name).output.splitlines()  # other services of the broker have requests of that name, too
    assert [line.split()[:2] for line in by_request if name in line] == [["same", name]]
    for unknown in ("no-id", str(uuid4())):
        nobody = run(name, unknown)
        assert isinstance(nobody.exception, Refused)
        assert f"there is no prediction {unknown}, and none of a request" in str(nobody.exception)
    assert isinstance(run(name, WEIR_BROKERS=f"127.0.0.1:{free_port()}").exception, Unavailable)
