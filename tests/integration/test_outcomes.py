"""`weir migrate`, `weir send`, `weir outcomes send` and `weir report`, with a scorer and a recorder that run."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result
from weir.core.errors import Refused
from weir.edges.clickhouse import migrations
from weir.edges.clickhouse.client import connect
from weir.edges.embedded.stack import Stack

from tests.command_line import cli
from tests.service_under_test import Service
from tests.waiting import PATIENT, START_S, until

pytestmark = pytest.mark.one_broker("tansu")

ROW = {"customer": "customer-1", "items": 3, "channel": "web"}
VALUE = "if(decision = 'positive', if(label = 'positive', attributes['kept'], -0.1), 0)"


@pytest.fixture(scope="module")
def service(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Service:
    migrations.apply(stack.settings.recording)
    return Service(stack, tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def weir(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    own = tmp_path / "services" / service.name
    own.mkdir(parents=True)
    (own / "service.yaml").write_text(f'service: {service.name}\nvalue: "{VALUE}"\n', encoding="utf-8")
    environment = service.stack.environment | {"COLUMNS": "200", "WEIR_SERVICES_DIR": str(tmp_path / "services")}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def command(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(cli, list(arguments), input=stdin)

    return command


def test_outcomes_are_sent_by_request_and_reported(service: Service, weir, tmp_path: Path) -> None:
    made = json.loads(weir("migrate", "--json").stdout)["views"]
    assert {"service": service.name, "name": f"results_{service.name.replace('-', '_')}", "formula": VALUE} in made
    requests = [ROW | {"request_id": f"r-{i}", "amount": 4.0 * i} for i in range(20)]
    recorder = service.stack.spawn(["worker", "recorder"], f"recorder-{service.name}")
    try:
        with service.worker():
            lines = "".join(json.dumps(request) + "\n" for request in requests)
            answered = weir("send", service.name, "-", *PATIENT, "--json", stdin=lines)
        answers = {answer["request_id"]: answer for answer in map(json.loads, answered.stdout.splitlines())}
        assert len(answers) == 20
        client = connect(service.settings.recording)
        known = "(SELECT count() FROM bundles WHERE service = {service:String}) > 0"  # and its classes
        count = f"SELECT count(), {known} FROM predictions WHERE service = {{service:String}}"
        until(lambda: client.query(count, {"service": service.name}).first_row == (20, 1), START_S, "the predictions")
        file = tmp_path / "chargebacks.csv"
        rows = [f"r-{i},{i % 2},{i}.25,x" for i in range(16)]
        file.write_text(
            "\n".join(["tx_id,label,kept,note", *rows, "early,1,3,x", "r-1,1,much", ",1,3,x", "r-16,sales,3,x"])
        )
        sent = weir("outcomes", "send", service.name, str(file), "--column", "request_id=tx_id", "--attribute", "kept")
        assert sent.exit_code == 1
        assert sent.stderr.splitlines() == [
            "line 19: 3 values under 4 headings",
            "line 20: neither prediction_id nor request_id is given",
            "line 21: label 'sales' is no class of the service: there are negative, positive, 0, 1",
            "attributes: kept",
            "left out: note",
            "17 sent: 16 joined, 1 waits for its prediction; 3 lines are no outcomes",
        ]
        by_id = {"prediction_id": answers["r-15"]["prediction_id"].upper(), "label": 0, "kept": 1, "revision": 1}
        again = weir("outcomes", "send", service.name, "-", "--json", stdin=json.dumps(by_id))
        assert json.loads(again.stdout) == {"sent": 1, "wrong": 0, "joined": 1, "waiting": 0}
        strange = weir("outcomes", "send", service.name, "-", stdin='{"request_id": "another", "label": 1}')
        assert "none of them has a prediction" in strange.stderr
        assert "are these ids of this service" in strange.stderr
        view = f"results_{service.name.replace('-', '_')}"
        known = f"SELECT count(), countIf(label = 'positive') FROM {view} WHERE has_outcome"
        until(lambda: client.query(known).first_row == (16, 7), START_S, "the outcomes")
    finally:
        service.stack.forget(recorder)
        recorder.stop()
    (figures,) = json.loads(weir("report", service.name, "--json").stdout)
    flagged = {i for i in range(20) if answers[f"r-{i}"]["decision"] == "positive"}
    labels = {i: i % 2 if i < 15 else 0 for i in range(16)}
    caught = [i for i in labels if i in flagged and labels[i]]
    alarms = [i for i in labels if i in flagged and not labels[i]]
    assert 0 < len(caught) < 7
    assert (figures["n"], figures["outcomes"], figures["waiting"]) == (20, 16, 0.2)
    assert (figures["caught"], figures["false_alerts"], figures["missed"]) == (
        len(caught),
        len(alarms),
        7 - len(caught),
    )
    assert figures["recall"] == len(caught) / 7
    assert figures["value"] == pytest.approx(sum(i + 0.25 for i in caught) - 0.1 * len(alarms), rel=1e-12)
    table = weir("report", service.name, "--by", "variant").stdout
    assert "champion" in table
    assert "20.0%" in table
    (row,) = csv.DictReader(weir("report", service.name, "--by", "day", "--csv").stdout.splitlines())
    assert (row["n"], row["caught"]) == ("20", str(len(caught)))
    assert "no predictions in this time" in weir("report", service.name, "--until", "2001-01-01").stdout
    check_classes(service, weir, figures)


def check_classes(service: Service, weir, figures: dict) -> None:
    both = json.loads(weir("report", service.name, "--classes", "--json").stdout)
    assert both["figures"] == [figures]
    assert {row["class"]: row["support"] for row in both["classes"]} == {"positive": 7, "negative": 9}
    table = weir("report", service.name, "--classes").stdout
    assert "AUC" in table
    assert "F1" in table
    no_class = weir("outcomes", "send", service.name, "-", "--json", stdin='{"request_id": "r-1", "label": "high"}')
    assert json.loads(no_class.stdout)["sent"] == 0


@pytest.mark.parametrize("arguments", [("outcomes", "send", "nobody", "-"), ("report", "nobody")])
def test_a_service_that_is_not_there_is_told_with_those_that_are(service: Service, weir, arguments) -> None:
    done = weir(*arguments, stdin="")
    assert isinstance(done.exception, Refused)
    assert str(done.exception).startswith("there is no service nobody on this cluster: there are ")
    assert service.name in str(done.exception)


def test_a_formula_that_is_none_stops_the_migration_and_says_where(service: Service, weir, tmp_path: Path) -> None:
    path = tmp_path / "services" / service.name / "service.yaml"
    path.write_text("value: sum(score)\n", encoding="utf-8")
    assert "sum is no function of the prediction" in str(weir("migrate").exception)
    path.write_text("value: [1]\n", encoding="utf-8")
    assert "`value` is no formula" in str(weir("migrate").exception)
