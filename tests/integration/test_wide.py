"""Models of 1 and of 2,000 inputs, from request to ClickHouse: contract, scorer, recorder, and what a request costs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from confluent_kafka import Producer
from weir.core.signature import Dtype, Input, Policy, Signature, Source
from weir.edges.clickhouse import ledger, migrations
from weir.edges.clickhouse.client import connect
from weir.edges.embedded.stack import Stack
from weir.edges.kafka.client import client_config
from weir.edges.kafka.topics import declared, ensure
from weir.edges.schemas.registry import Registry, publish
from weir.operations.trial import envelope
from weir.settings import load

from tests.bundles import expected, tiny_bundle
from tests.service_under_test import Tiny
from tests.waiting import START_S, WAIT_S, until

ROWS = 500
LEVELS = ("red", "green", "blue")
KINDS = (Dtype.FLOAT, Dtype.INT, Dtype.BOOL, Dtype.CATEGORY)


def signature_of(width: int) -> Signature:
    """Inputs of every kind in turn; floats may be missing."""
    return Signature(
        inputs=tuple(
            Input(
                name=f"input_{i}",
                source=Source.REQUEST,
                ref=f"field_{i}",
                dtype=KINDS[i % 4],
                categories=LEVELS if KINDS[i % 4] is Dtype.CATEGORY else (),
                on_missing=Policy.USE if KINDS[i % 4] is Dtype.FLOAT else Policy.REJECT,
                doc=f"What a caller knows of number {i}.",
            )
            for i in range(width)
        )
    )


def requests(signature: Signature) -> tuple[pa.RecordBatch, np.ndarray]:
    """ROWS requests, and what the model gets for them: float32[n, k]."""
    random = np.random.default_rng(5)
    columns, matrix = envelope(signature, ROWS), np.empty((ROWS, len(signature.inputs)), np.float32)
    for i, item in enumerate(signature.inputs):
        if item.dtype is Dtype.FLOAT:
            values = random.normal(0, 1, ROWS).astype(np.float32)
            missing = random.random(ROWS) < 0.1
            columns[item.ref] = pa.array(values, mask=missing)
            matrix[:, i] = np.where(missing, np.nan, values)
        elif item.dtype is Dtype.CATEGORY:
            matrix[:, i] = codes = random.integers(0, len(LEVELS), ROWS)
            columns[item.ref] = pa.array([LEVELS[code] for code in codes])
        else:
            matrix[:, i] = whole = random.integers(0, 2 if item.dtype is Dtype.BOOL else 4, ROWS)
            columns[item.ref] = pa.array(whole.astype(bool) if item.dtype is Dtype.BOOL else whole)
    return pa.RecordBatch.from_pydict(columns), matrix


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with a recorder."""
    folder = tmp_path_factory.mktemp("wide")
    with Stack(load(home=folder / "home", bundles_dir=folder / "none")) as stack:
        topics = declared(stack.settings)
        ensure(stack.settings, topics)
        publish(Registry(stack.settings.registry), stack.settings.paths.schemas_dir, topics)
        migrations.apply(stack.settings.recording)
        stack.spawn(["worker", "recorder"], "recorder")
        yield stack


@pytest.mark.parametrize("width", [1, 2000])
def test_a_model_of_any_width_is_recorded_input_by_input(width: int, recorded: Stack, tmp_path: Path) -> None:
    signature = signature_of(width)

    def bundle_of(folder: Path, name: str) -> Path:
        return tiny_bundle(folder, signature, service=name)

    service = Tiny(recorded, tmp_path, f"wide-{width}", bundle_of, signature)
    asked, matrix = requests(signature)
    values = service.encoder.encode(asked)
    producer = Producer(client_config(recorded.settings.kafka, "tests"))
    client = connect(recorded.settings.recording)
    of_service = f"WHERE service = '{service.name}'"
    with service.worker(max_record_bytes=recorded.settings.scoring.max_record_bytes):
        for i, value in enumerate(values):
            producer.produce(service.topic, value, partition=i % 4)
        assert producer.flush(WAIT_S) == 0
        count = f"SELECT count() FROM predictions {of_service}"
        until(lambda: client.query(count).first_row == (ROWS,), START_S, "every request recorded")
        report = until(lambda: (found := ledger.read(client)).complete and found, START_S, "a complete ledger")
    assert (report.duplicates, report.missing) == (0, 0)
    columns = "request_id, score, mapKeys(features), mapValues(features), mapKeys(texts)"
    rows = client.query(f"SELECT {columns} FROM predictions {of_service}").result_rows
    rows = sorted(rows, key=lambda row: int(row[0].removeprefix("trial-")))
    scores = np.array([row[1] for row in rows])
    assert scores == pytest.approx(expected(matrix, signature), rel=1e-5, abs=1e-6)
    assert {tuple(row[2]) for row in rows} == {signature.names}
    np.testing.assert_array_equal(np.array([row[3] for row in rows], np.float32), matrix)
    words = tuple(item.name for item in signature.inputs if item.dtype is Dtype.CATEGORY)
    assert {tuple(row[4]) for row in rows} == {words}
    written = client.query(f"SELECT sum(bytes_out) / sum(rows) FROM batches {of_service}").first_row[0]
    print(f"{width} inputs: {len(values[0])} bytes a request, {written:.0f} bytes a prediction")
