"""A recorder that is killed with SIGKILL over and over leaves every table equal to the truth."""

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress

import pytest
from weir.core.chunk import LogPartition
from weir.recording import histograms
from weir.settings import ROOT

from tests.databases import client, database
from tests.doubles import recorder_process, recording, records
from tests.waiting import COMMAND_S, ended

pytestmark = pytest.mark.one_broker("kafka")

__all__ = ["client", "database"]
KILLS = 6
ANSWERS = (("sum(answers)", "batch_answers"), ("count()", "predictions"))


def start(database, state, seed):
    environment = os.environ | {
        "WEIR_CLICKHOUSE_URL": database.recording.clickhouse_url,
        "WEIR_CLICKHOUSE_DATABASE": database.recording.clickhouse_database,
    }
    command = [sys.executable, "-m", "tests.doubles.recorder_process", str(state), str(seed)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "begun\n"
    return process


def truth():
    """What counting every prediction once gives, over all minutes: kind, name, rows, bins, words."""
    found = {}
    for partition in range(recorder_process.PARTITIONS):
        rows = records.predictions(partition, list(range(recorder_process.ROWS)))
        made = histograms.of(rows, LogPartition("log", "weir.predictions", partition), 0, records.names)
        for (kind, name, *_), counts in recording.counted([made]).items():
            found.setdefault((kind, name), Counter()).update(counts)
    return [
        (kind, name, counts["n"], numbers(counts), {key[5:]: n for key, n in words(counts)})
        for (kind, name), counts in sorted(found.items())
    ]


def numbers(counts):
    return {key: n for key, n in sorted((key, n) for key, n in counts.items() if isinstance(key, int))}


def words(counts):
    return sorted((key, n) for key, n in counts.items() if isinstance(key, str) and key.startswith("word "))


def test_every_table_equals_the_truth_after_kill_9(client, database, tmp_path):
    chance = random.Random(11)
    state = tmp_path / "committed"
    killed = 0
    for seed in range(KILLS):
        with ended(start(database, state, seed)) as process, suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0.05, 0.6))  # where in its work it dies is left to chance
        killed += process.returncode == -signal.SIGKILL
    assert killed >= KILLS // 2, "it was done before it could be killed"
    with ended(start(database, state, 99)) as last:
        assert last.communicate(timeout=COMMAND_S)[0] == "done\n"
    assert last.returncode == 0

    rows, partitions = recorder_process.ROWS, recorder_process.PARTITIONS
    counts = "SELECT count(), uniqExact(source_partition, source_offset), sum(source_offset) FROM "
    exact = (rows * partitions, rows * partitions, partitions * rows * (rows - 1) // 2)
    assert client.query(counts + "predictions").first_row == exact
    for table in ("histogram_blocks", "histograms", "histograms_hour"):
        sums = f"SELECT kind, name, sum(n), sumMap(hist), sumMap(words) FROM {table}"
        assert client.query(f"{sums} GROUP BY kind, name ORDER BY kind, name").result_rows == truth(), table
    batches = "SELECT batch_id, {} FROM {} GROUP BY batch_id ORDER BY batch_id"
    answered = [client.query(batches.format(*of)).result_rows for of in ANSWERS]
    assert answered[0] == answered[1]
    wrong = "SELECT count() FROM predictions WHERE score != toFloat32((source_offset * 7919 % 997) / 997)"
    assert client.query(wrong).first_row == (0,)
    assert client.query("SELECT count(), countIf(label = '1') FROM outcomes_latest").first_row == (
        rows * partitions,
        partitions * len(range(0, rows, 7)),
    )
    assert client.query(counts + f"dead_letters WHERE service = '{records.SERVICE}'").first_row == (6, 6, 12)
    assert client.query(
        "SELECT reason, count() FROM dead_letters WHERE service = '' GROUP BY reason ORDER BY reason"
    ).result_rows == [("empty", partitions), ("unknown_schema", partitions)]
    assert client.query("SELECT count(), sum(read) FROM ledger").first_row == (
        partitions * rows // recorder_process.STEP,
        partitions * rows,
    )
    blocks = client.query(
        "SELECT countIf(number > 1 AND first != before + 1) FROM (SELECT number, first, lagInFrame(last) OVER "
        "(PARTITION BY topic, partition ORDER BY number) AS before FROM recorder_blocks FINAL)"
    )
    assert blocks.first_row == (0,), "the announced blocks tile the log"
