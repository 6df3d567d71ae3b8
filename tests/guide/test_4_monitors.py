"""What the README says of monitors, as a user types it in a fresh project."""

import json
import os
import shutil
import sys

import pyarrow.parquet as pq
import pytest
from weir.settings import ROOT

from tests.guide.test_1_first_prediction import TRAINED
from tests.guide.weir import Shell
from tests.kafka_cluster import kafka_libs
from tests.waiting import START_S, until

TEXT = (ROOT / "README.md").read_text().partition("## Is it still right?")[2].partition("\n## ")[0]
BLOCK = TEXT.split("```\n")[1]


def commands():
    return [line.partition(" # ")[0].strip().removeprefix("weir ") for line in BLOCK.splitlines()]


@pytest.mark.timeout(1200)
def test_each_command_of_the_readme_answers_in_a_fresh_project(tmp_path):
    kafka_libs()
    trained = shutil.copytree(TRAINED, tmp_path / "trained")
    rows = pq.read_table(TRAINED / "rows.parquet").drop_columns(["scores"])
    pq.write_table(rows, trained / "rows.parquet")
    shell = Shell([sys.executable], tmp_path, pythonpath=os.pathsep.join(path for path in sys.path if path))
    shell.weir("init shop")
    shell.cd("shop")
    shell.weir("service add returns ../trained/model.onnx --sample ../trained/rows.parquet")
    shell.weir("bundle build returns")
    with shell.up():
        answers = [json.loads(line) for line in shell.weir("send returns --sample 100 --json").splitlines()]
        told = ["request_id,label", *(f"{one['request_id']},{int(one['score'] >= 0.5)}" for one in answers)]
        (tmp_path / "outcomes.csv").write_text("\n".join(told))
        shell.weir("outcomes send returns ../outcomes.csv")
        known = "query 'SELECT count() AS n FROM results WHERE has_outcome' --json"
        until(lambda: json.loads(shell.weir(known))[0]["n"] == 100, START_S, "outcomes in ClickHouse")
        shell.weir("migrate")
        said = {line: shell.weir(line) for line in commands()}
    assert "scores_by_hour" in said["monitors list"], "the project's own"
    assert (tmp_path / "shop" / "costs.parquet").exists()
