"""`weir diagnose` over recorded rows: a fault of each class, and the query that it names as evidence."""

from __future__ import annotations

import json
import shlex

from typer.testing import CliRunner

from tests.bench import diagnose as bench
from tests.doubles import monitoring
from tests.doubles.monitoring import MemoryBooks, monitor, worker
from tests.sql.test_measurements import recorded


def test_a_fault_of_each_class_is_attributed_to_its_cause(client):
    """One each; `python -m tests.bench.diagnose` injects ten."""
    found = bench.measure(client, each=1)
    assert {name: row["instead"] for name, row in found.items() if row["right"] < row["of"]} == {}


def test_the_command_names_causes_of_an_alert_and_the_query_that_shows_them(client, database, tmp_path, monkeypatch):
    from tests.command_line import cli

    monkeypatch.setenv("WEIR_CLICKHOUSE_URL", database.recording.clickhouse_url)
    monkeypatch.setenv("WEIR_CLICKHOUSE_DATABASE", database.recording.clickhouse_database)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("WEIR_MONITORS_DIR", str(tmp_path / "monitors"))
    settings = database.having(monitors_dir=tmp_path / "monitors")
    monitor(settings.paths.monitors_dir, "one")
    monitoring.predict(client, 0, 7199, begin=monitoring.NOON, score="if(number < 6600, 0.1, 0.9)")
    books = MemoryBooks()
    worker(settings, books).look()
    recorded(client, "measurements", books.measurements, "weir.measurements")
    recorded(client, "alerts", books.alerts, "weir.alerts")
    which = books.alerts[0]["alert_id"]
    shown = CliRunner().invoke(cli, ["diagnose", which[:8]])
    assert shown.exit_code == 0, shown.output
    assert "what has moved has no cause that can be seen" in shown.output, "the score alone moved"
    told = json.loads(CliRunner().invoke(cli, ["alerts", "show", which, "--json"]).output)
    assert (told["limit"], told["false_alarms"]["a_month"]) == ("> 0.6", None), "nobody knows before it is calibrated"
    client.command(
        "INSERT INTO calibrations (service, monitor, subject, severity, sign, bound, a_month, low, high, windows)"
        f" VALUES ('{monitoring.SERVICE}', 'one', '{told['transitions'][0]['subject']}', 'page', '>',"
        " 0.7, 0.8, 0.2, 1.6, 9000)"
    )
    told = " ".join(CliRunner().invoke(cli, ["alerts", "show", which]).output.split())
    assert "> 0.7 (calibrated)" in told
    assert "0.8 a month (0.2 to 1.6): calibrated on 9,000 windows" in told
    asked = ["--service", monitoring.SERVICE, "--from", "2026-01-01T13:50:00", "--to", "2026-01-01T14:00:00"]
    told = CliRunner().invoke(cli, ["diagnose", *asked, "--json"])
    assert json.loads(told.output)["change"] > 0.5
    client.command("ALTER TABLE predictions UPDATE digest = 'new' WHERE score > 0.5", settings={"mutations_sync": 1})
    causes = json.loads(CliRunner().invoke(cli, ["diagnose", which, "--json"]).output)["causes"]
    assert [(cause["name"], cause["subject"]) for cause in causes] == [("new model version", "bundle new")]
    evidence = CliRunner().invoke(cli, [*shlex.split(causes[0]["command"])[1:], "--json"])
    assert evidence.exit_code == 0, evidence.output
    assert json.loads(evidence.output), "the query that is named answers"
    assert CliRunner().invoke(cli, ["diagnose", "nobody"]).exit_code != 0
