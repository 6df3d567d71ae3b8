"""From `weir init` to a recorded prediction: six commands of an installed wheel; other guides use a clone."""

import json
import shutil
import time

import pyarrow.parquet as pq
import pytest
from weir.settings import ROOT

from tests.guide.weir import Shell
from tests.kafka_cluster import kafka_libs
from tests.waiting import START_S, until

TRAINED = ROOT / "tests" / "toolchains" / "pytorch" / "torch-binary-dynamo"  # as PyTorch exports it, in two files


@pytest.fixture
def trained(tmp_path):
    """What a data scientist has: a model, and the rows that it was tried on."""
    folder = tmp_path / "trained"
    shutil.copytree(TRAINED, folder)
    table = pq.read_table(TRAINED / "rows.parquet")
    pq.write_table(table.drop_columns(["scores"]), folder / "rows.parquet")
    return folder


@pytest.fixture
def shell(installed, tmp_path):
    return Shell([str(installed)], tmp_path)


@pytest.mark.timeout(1200)
def test_from_init_to_a_recorded_prediction(shell, trained, record_property):
    kafka_libs()
    began_s = time.monotonic()
    shell.weir("init fraud")
    shell.cd("fraud")
    shell.weir(f"service add fraud {trained}/model.onnx --sample {trained}/rows.parquet")
    shell.weir("bundle build fraud")
    with shell.up() as said:
        answers = [json.loads(line) for line in shell.weir("send fraud --sample 20 --json").splitlines()]
        count = "query 'SELECT count() AS n FROM predictions WHERE NOT golden' --json"
        until(lambda: json.loads(shell.weir(count))[0]["n"] == 20, START_S, "predictions in ClickHouse")
        record_property("seconds from init to the first recorded prediction", round(time.monotonic() - began_s, 1))
        assert len(dict.fromkeys(shell.commands)) == 6
        assert "serving fraud: fraud 1" in said
        assert len(answers) == 20
        assert "complete" in shell.weir("ledger")
        for asked in ("", " --param service=fraud"):
            assert len(json.loads(shell.weir(f"query scores_by_hour{asked} --json"))) == 1
        ask_on(shell, trained, answers)
    again = shell.weir("bundle build fraud")
    assert "requests.fraud v1 has all that the bundle asks for" in again


def ask_on(shell, trained, answers):
    """What came true, the report, the same bits again, and what the bundle would answer to a file."""
    lines = ["request_id,label", *(f"{answer['request_id']},{int(answer['score'] >= 0.5)}" for answer in answers)]
    (trained / "outcomes.csv").write_text("\n".join(lines))
    shell.weir(f"outcomes send fraud {trained}/outcomes.csv")
    report = "report fraud --by day --json"
    until(
        lambda: sum(day["outcomes"] for day in json.loads(shell.weir(report))) == 20, START_S, "outcomes in ClickHouse"
    )
    days = json.loads(shell.weir(report))
    assert [(day["missed"], day["false_alerts"]) for day in days] == [(0, 0)] * len(days)
    assert "same" in shell.weir(f"reproduce {answers[0]['prediction_id']}")
    scored = json.loads(shell.weir(f"bundle score fraud {trained}/rows.parquet --json"))
    assert len(scored) == pq.read_metadata(trained / "rows.parquet").num_rows
    assert {answer["decision"] for answer in answers} <= {row["decision"] for row in scored}
