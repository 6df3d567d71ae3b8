"""`weir worker recorder` between a real broker and a real ClickHouse: from records to rows, also when it is killed."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from weir.recording.naming import PACKED
from weir.settings import load

from tests.doubles import records
from tests.waiting import START_S, WAIT_S, until

pytestmark = pytest.mark.one_broker("kafka")

if TYPE_CHECKING:
    from clickhouse_connect.driver import Client
    from weir.edges.kafka.producer import Producer

ROWS = 4000  # predictions of each of four partitions
NAMES = list(records.INPUTS), list(records.VIEWS)


def test_the_worker_records_each_row_once_also_when_it_is_killed(tmp_path: Path, broker: dict[str, Any]) -> None:
    from weir.edges.clickhouse import ledger, migrations
    from weir.edges.clickhouse.client import connect
    from weir.edges.embedded.stack import Stack
    from weir.edges.kafka.producer import Producer
    from weir.edges.kafka.topics import declared, ensure
    from weir.edges.schemas.registry import Registry, publish

    settings = load(home=tmp_path / "home", bundles_dir=tmp_path / "none", commit_interval_s=5.0, **broker)
    known, late = "0123456789ab", "ba9876543210"  # bundles: one whose scorer said what it is, one whose did not
    with Stack(settings) as stack:
        settings = stack.settings
        topics = declared(settings)
        ensure(settings, topics)
        ids = publish(Registry(settings.registry), settings.paths.schemas_dir, topics)
        migrations.apply(settings.recording)
        producer, client = Producer(settings.kafka, "test"), connect(settings.recording)
        write = partial(written, producer, ids)

        def score(partition, offsets):
            rows = records.predictions(partition, list(offsets), digest=late if partition == 3 else known)
            write("weir.predictions", "predictions", partition, rows)
            write("weir.ledger", "ledger", partition, records.ledger(partition, [(offsets[0], offsets[-1])]))
            write("weir.batches", "batches", 0, records.batches(partition, [(offsets[0], offsets[-1])]))
            producer.flush()

        def recorded():
            stack.check()
            return client.query("SELECT count() FROM predictions").first_row[0]

        write("weir.bundles", "bundles", 0, records.bundles(known))
        worker = stack.spawn(["worker", "recorder"], "recorder")
        for partition in range(4):
            score(partition, range(ROWS // 2))
        until(lambda: recorded() >= ROWS, START_S, "a good part of the first half")  # in the midst of its work
        os.kill(worker.pid, signal.SIGKILL)
        stack.forget(worker)
        for partition in range(4):
            score(partition, range(ROWS // 2 - 500, ROWS))  # a scorer that lost its last commit
            ids_of = [records.prediction_id(partition, offset) for offset in range(10)]
            write("weir.outcomes", "outcomes", partition, records.outcomes(ids_of, [1.0] * 10))
            producer.write("weir.outcomes", partition, [b"no record at all"])
            write("weir.predictions", "predictions", partition, impossible(records.predictions(partition, [ROWS])))
        producer.flush()
        stack.spawn(["worker", "recorder"], "recorder-again")
        until(lambda: recorded() >= 4 * ROWS, START_S, "all predictions")
        until(lambda: client.query("SELECT count() FROM dead_letters").first_row == (8,), START_S, "the last outcomes")
        report = until(lambda: (found := ledger.read(client)).complete and found, START_S, "a complete ledger")
        assert (report.read, report.scored, report.duplicates, report.missing) == (4 * ROWS, 4 * ROWS, 0, 0)
        assert client.query("SELECT uniqExact(prediction_id) FROM predictions").first_row == (4 * ROWS,)
        until(lambda: client.query("SELECT count() FROM batches").first_row == (8,), START_S, "the batches")
        assert spans(client) == [
            (partition, *span) for partition in range(4) for span in ((0, ROWS // 2 - 1), (ROWS // 2 - 500, ROWS - 1))
        ]
        packed = [(known, *NAMES, 0), (late, [], [], len(PACKED))]
        until(lambda: named(client) == packed, START_S, "names of the bundle that said what it is")
        write("weir.bundles", "bundles", 0, records.bundles(late))
        producer.flush()
        until(lambda: named(client)[1] == (late, *NAMES, 0), START_S, "names for what was recorded without")
        check_outcomes(client)


def written(
    producer: Producer, ids: dict[str, int], topic: str, record: str, partition: int, rows: pa.RecordBatch
) -> None:
    producer.write(topic, partition, records.encode(record, rows, ids[f"{topic}-value"]))


def check_outcomes(client: Client) -> None:
    until(lambda: client.query("SELECT count() FROM outcomes_latest").first_row == (40,), WAIT_S, "the outcomes")
    reasons = client.query("SELECT DISTINCT source_topic, reason FROM dead_letters").result_rows
    assert sorted(reasons) == [("weir.outcomes", "bad_frame"), ("weir.predictions", "out_of_range")]


def named(client: Client) -> list[tuple[object, ...]]:
    """By digest: names of features and views, and how many columns are still packed."""
    keys = "SELECT DISTINCT digest, mapKeys(features), mapKeys(feature_status), length(packed) FROM predictions"
    return sorted(client.query(keys).result_rows)


def spans(client: Client) -> list[tuple[int, ...]]:
    """Partition, first and last offset of all that batches cover."""
    unfolded = "SELECT span.partition, span.first, span.last FROM batches ARRAY JOIN ranges AS span"
    return sorted(client.query(unfolded).result_rows)


def impossible(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Rows with a time that no table can hold."""
    times = pa.array([2**62] * len(rows), pa.int64()).cast(records.MS)
    return rows.set_column(rows.schema.get_field_index("scored_at"), "scored_at", times)


@pytest.mark.parametrize(
    ("missing", "words", "status"),
    [
        ({"WEIR_CLICKHOUSE_DATABASE": "nowhere"}, "run `weir migrate`", 78),
        ({"WEIR_CLICKHOUSE_URL": "http://127.0.0.1:9"}, "ClickHouse does not answer", 75),
    ],
)
def test_a_world_that_is_not_there_is_one_line_and_a_status(stack, missing, words, status, tmp_path):
    import subprocess
    import sys

    from weir.settings import ROOT

    environment = os.environ | stack.environment | {"WEIR_HOME": str(tmp_path)} | missing
    command = [sys.executable, "-m", "weir", "worker", "recorder"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=WAIT_S, check=False
    )
    assert done.returncode == status
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
