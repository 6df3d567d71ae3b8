"""`weir worker recorder` between a real broker and a real ClickHouse: from records to rows, also when it is killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from weir.settings import load

from tests.doubles import records
from tests.waiting import until

ROWS = 4000  # predictions of each of four partitions
READY_S = 60.0  # the broker holds the first join for half a session time-out, and the machine may be busy


def test_the_worker_records_each_row_once_also_when_it_is_killed(tmp_path: Path, broker: dict[str, Any]) -> None:
    from weir.edges.clickhouse import ledger, migrations
    from weir.edges.clickhouse.client import connect
    from weir.edges.embedded.stack import Stack
    from weir.edges.kafka.producer import Producer
    from weir.edges.kafka.topics import declared, ensure
    from weir.edges.schemas.registry import Registry, publish

    from tests import bundles

    bundle = bundles.tiny_bundle(tmp_path)
    settings = load(home=tmp_path / "home", bundles_dir=tmp_path / "bundles", commit_interval_s=5.0, **broker)
    with Stack(settings) as stack:
        settings = stack.settings
        topics = declared(settings)
        ensure(settings, topics)
        ids = publish(Registry(settings.registry), settings.paths.schemas_dir, topics)
        migrations.apply(settings.recording)
        producer, client = Producer(settings.kafka, "test"), connect(settings.recording)

        def write(topic, record, partition, rows):
            producer.write(topic, partition, records.encode(record, rows, ids[f"{topic}-value"]))

        def score(partition, offsets):
            digest, inputs = bundle.name[:12], len(bundles.SIGNATURE.inputs)
            rows = records.predictions(partition, list(offsets), inputs=inputs, views=0, digest=digest)
            write("weir.predictions", "predictions", partition, rows)
            write("weir.ledger", "ledger", partition, records.ledger(partition, [(offsets[0], offsets[-1])]))
            producer.flush()

        def recorded():
            stack.check()
            return client.query("SELECT count() FROM predictions").first_row[0]

        worker = stack.spawn(["worker", "recorder"], "recorder")
        for partition in range(4):
            score(partition, range(ROWS // 2))
        until(lambda: recorded() >= ROWS, READY_S, "a good part of the first half")  # in the midst of its work
        os.kill(worker.pid, signal.SIGKILL)
        stack.forget(worker)
        for partition in range(4):
            score(partition, range(ROWS // 2 - 500, ROWS))  # a scorer that lost its last commit
            ids_of = [records.prediction_id(partition, offset) for offset in range(10)]
            write("weir.outcomes", "outcomes", partition, records.outcomes(ids_of, [1.0] * 10))
            producer.write("weir.outcomes", partition, [b"no record at all"])
        producer.flush()
        stack.spawn(["worker", "recorder"], "recorder-again")
        until(lambda: recorded() >= 4 * ROWS, READY_S, "all predictions")
        until(lambda: client.query("SELECT count() FROM dead_letters").first_row == (4,), READY_S, "the last outcomes")
        report = until(lambda: (found := ledger.read(client)).complete and found, READY_S, "a complete ledger")
        assert (report.read, report.scored, report.duplicates, report.missing) == (4 * ROWS, 4 * ROWS, 0, 0)
        assert client.query("SELECT uniqExact(prediction_id) FROM predictions").first_row == (4 * ROWS,)
        names = client.query("SELECT DISTINCT mapKeys(features), feature_age_s FROM predictions").result_rows
        assert names == [(list(bundles.SIGNATURE.names), {})]
        assert client.query("SELECT count() FROM outcomes FINAL").first_row == (40,)
        (reason,) = client.query("SELECT DISTINCT (source_topic, reason, value) FROM dead_letters").result_rows
        assert reason[0] == ("weir.outcomes", "bad_frame", "no record at all")


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
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
