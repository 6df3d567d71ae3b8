"""From `weir init` to a recorded prediction: six commands, from a clone and from an installed wheel."""

import json
import os
import shutil
import sys

import pyarrow.parquet as pq
import pytest
from weir.settings import ROOT

from tests.guide.weir import Shell, timed
from tests.kafka_cluster import kafka_libs
from tests.waiting import until

TRAINED = ROOT / "tests" / "toolchains" / "pytorch" / "torch-binary-dynamo"  # as PyTorch exports it, in two files


@pytest.fixture
def trained(tmp_path):
    """What a data scientist has: a model, and the rows that it was tried on."""
    folder = tmp_path / "trained"
    shutil.copytree(TRAINED, folder)
    table = pq.read_table(TRAINED / "rows.parquet")
    pq.write_table(table.drop_columns(["scores"]), folder / "rows.parquet")
    return folder


@pytest.fixture(params=["clone", "wheel"])
def shell(request, tmp_path):
    if request.param == "clone":
        return Shell([sys.executable], tmp_path, pythonpath=os.pathsep.join(path for path in sys.path if path))
    return Shell([str(request.getfixturevalue("installed"))], tmp_path)


@pytest.mark.timeout(600)
def test_from_init_to_a_recorded_prediction(shell, trained, capsys):
    kafka_libs()
    with capsys.disabled(), timed("init to the first recorded prediction"):
        shell.weir("init fraud")
        shell.cd("fraud")
        shell.weir(f"service add fraud {trained}/model.onnx --sample {trained}/rows.parquet")
        shell.weir("bundle build fraud")
        with shell.up() as said:
            answers = shell.weir("send fraud --sample 20 --json")
            count = "query 'SELECT count() AS n FROM predictions' --json"
            until(lambda: json.loads(shell.weir(count))[0]["n"] == 20, 60, "predictions in ClickHouse")
            assert len(dict.fromkeys(shell.commands)) == 6
            assert "serving fraud: fraud 1" in said
            assert len(answers.splitlines()) == 20
            assert "complete" in shell.weir("ledger")
            assert len(json.loads(shell.weir("query scores_by_hour --json"))) == 1
    again = shell.weir("bundle build fraud")
    assert "requests.fraud v1 has all that the bundle asks for" in again
