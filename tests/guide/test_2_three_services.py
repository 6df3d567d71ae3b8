"""Three services of three tasks, from three toolchains, at once in one project."""

import json
import os
import sys

import pyarrow.parquet as pq
import pytest

from tests.guide.weir import Shell
from tests.kafka_cluster import kafka_libs
from tests.waiting import START_S, until

SERVICES = {"phishing": "sklearn-forest-zipmap", "image-segments": "xgboost-many", "water_flow": "catboost-regression"}


@pytest.mark.timeout(1200)
def test_three_tasks_are_served_at_once(cases, tmp_path):
    kafka_libs()
    shell = Shell([sys.executable], tmp_path, pythonpath=os.pathsep.join(path for path in sys.path if path))
    shell.weir("init many")
    shell.cd("many")
    for service, case in SERVICES.items():
        rows = tmp_path / f"{service}.parquet"
        pq.write_table(pq.read_table(cases / case / "rows.parquet").drop_columns(["scores"]), rows)
        model = cases / case / json.loads((cases / case / "case.json").read_text())["file"]
        shell.weir(f"service add {service} {model} --sample {rows}")
        shell.weir(f"bundle build {service}")
    with shell.up() as said:
        for service in SERVICES:
            assert f"scorer-{service}" in said
            assert f"weir send {service} --sample 3" in said
            assert len(shell.weir(f"send {service} --sample 50 --json").splitlines()) == 50
        asked = "FROM predictions WHERE NOT golden GROUP BY service ORDER BY service"
        by_service = f"query 'SELECT service, count() AS n {asked}' --json"
        wanted = [{"service": service, "n": 50} for service in sorted(SERVICES)]
        until(lambda: json.loads(shell.weir(by_service)) == wanted, START_S, "predictions of every service")
        decided = json.loads(shell.weir(f"query 'SELECT service, groupUniqArray(decision) AS words {asked}' --json"))
        words = {row["service"]: set(row["words"]) for row in decided}
        assert words["phishing"] <= {"genuine", "phishing"}
        assert words["image-segments"] <= {"brickface", "cement", "foliage", "grass", "path", "sky", "window"}
        assert words["water_flow"] == {""}
        assert "complete" in shell.weir("ledger")
        assert "complete" in shell.weir("ledger --against-log")
    with shell.up("up --only water_flow") as said:
        assert "serving water_flow" in said
        assert "serving phishing" not in said
        assert len(shell.weir("send water_flow --sample 5 --json").splitlines()) == 5
