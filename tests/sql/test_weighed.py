"""What is weighed over many days of outcomes: the threshold of least cost, and estimates before outcomes are known."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from typer.testing import CliRunner
from weir.core.chunk import LogPartition
from weir.core.errors import Refused
from weir.core.signature import Task
from weir.edges.clickhouse import cells, estimates, monitors, reports, results
from weir.edges.clickhouse.client import connect
from weir.monitor.spec import Asked
from weir.operations import threshold
from weir.recording import tables

from tests.command_line import cli
from tests.databases import migrated, put
from tests.doubles import records
from tests.sql.test_outcomes import replaced

DAYS, A_DAY, WAITING = 20, 300, 2  # of the last days no outcome is in
BEGIN = datetime(2013, 7, 1, tzinfo=UTC)
END = BEGIN + timedelta(days=DAYS)
BOUNDS = {"begin": BEGIN, "end": END}


@pytest.fixture(scope="module")
def settings(databases):
    """Settings of a database with twenty days of predictions; their chances are right."""
    with migrated(databases) as of:
        fill(connect(of.recording))
        yield of


@pytest.fixture(scope="module")
def client(settings):
    return connect(settings.recording)


def fill(client):
    n, chance, log = DAYS * A_DAY, np.random.default_rng(5), LogPartition("log", "weir.predictions", 0)
    scores = chance.beta(1, 2, n).astype(np.float32)
    scores[:4] = np.float32([0.29, 0.57, 0.58, 1.0])  # where a double would be in another thousandth
    rows = replaced(records.predictions(0, list(range(n))), score=scores)
    at = (BEGIN.timestamp() * 1000 + np.arange(n) * (DAYS * 86_400_000 // n)).astype(np.int64)
    rows = rows.set_column(
        rows.schema.get_field_index("event_time"), "event_time", records.pa.array(at).cast(records.MS)
    )
    rows = replaced(rows, decision=np.where(scores >= 0.5, "positive", "negative").tolist())
    put(client, "predictions", tables.predictions(rows, log, np.arange(n), records.names))
    known = (DAYS - WAITING) * A_DAY
    came = (chance.random(known) < scores[:known]).astype(float)
    off = scores[:known] * chance.normal(0, 1, known)
    said = records.outcomes(
        [f"r0-{i}" for i in range(known)], came.tolist(), (scores[:known] - off).tolist(), by="request_id"
    )
    put(client, "outcomes", tables.outcomes(said, LogPartition("log", "weir.outcomes", 0), np.arange(known), 0))
    put(client, "bundles", tables.bundles(records.bundles(), LogPartition("log", "weir.bundles", 0), np.arange(1)))
    results.make(client, {records.SERVICE: ""})


def test_a_thousandth_holds_what_a_threshold_would_flag(client):
    found = cells.by_chance(
        client, cells.Asked(records.SERVICE, BEGIN, END, 86_400), reports.meaning(client, records.SERVICE)
    )
    rows = found.n[:, 0].sum((0, 2))
    scores = np.array(client.query("SELECT groupArray(score) FROM predictions").result_rows[0][0], np.float32)
    for at in range(0, 1001, 7):
        assert rows[at:].sum() == (scores >= np.float32(at / 1000)).sum(), at
    assert all(rows[at] > 0 for at in (290, 570, 580, 1000))


def test_the_threshold_of_least_cost_by_whole_days(client):
    asked = {"miss": 4.0, "false_alarm": 1.0, "capacity": float("inf"), "maturity": 0.9}
    found = threshold.suggest(client, records.SERVICE, **BOUNDS, **asked)
    assert (found.suggestion.days, found.immature, found.present) == (DAYS - WAITING, WAITING, 0.5)
    assert found.suggestion.low <= 0.2 <= found.suggestion.high  # of chances that are right: 1 / (1 + 4)
    assert found.suggestion.doubts == ()
    few = threshold.suggest(client, records.SERVICE, **BOUNDS, **asked | {"capacity": 20})
    assert few.suggestion.alerts <= 20 < found.suggestion.alerts


def test_a_service_that_predicts_numbers_has_no_threshold(client, monkeypatch):
    monkeypatch.setattr(reports, "meaning", lambda *_: reports.Meaning(task=Task.REGRESSION))
    asked = {"miss": 4.0, "false_alarm": 1.0, "capacity": 9.0, "maturity": 0.9}
    with pytest.raises(Refused, match="has no threshold: its task is regression"):
        threshold.suggest(client, records.SERVICE, **BOUNDS, **asked)


@pytest.mark.parametrize("task", [Task.BINARY, Task.REGRESSION])
def test_estimates_are_held_to_what_came_true(client, monkeypatch, task):
    if task is Task.REGRESSION:
        monkeypatch.setattr(reports, "meaning", lambda *_: reports.Meaning(task=Task.REGRESSION))
    found = estimates.windows(client, records.SERVICE, **BOUNDS, step_s=86_400, maturity=0.9)
    names = {"mae", "rmse"} if task is Task.REGRESSION else {"accuracy", "f1", "auc"}
    assert {window.figure for window in found} == names
    assert len(found) == DAYS * len(names)
    for window in found[-len(names) :]:
        assert (window.begin, window.maturity) == (END - timedelta(days=1), 0.0)
        assert np.isnan(window.estimate.realised)
        assert window.estimate.compared == DAYS - WAITING - 2
        past = [one.estimate.realised for one in found if one.figure == window.figure and one.maturity == 1]
        assert window.estimate.value == pytest.approx(np.mean(past), rel=0.1)
        assert window.estimate.low < window.estimate.value < window.estimate.high


def test_estimates_are_figures_that_say_what_came_true_and_when_they_cannot_be_trusted(client):
    asked = Asked(service=records.SERVICE, begin=END - timedelta(days=4), end=END, step_s=86_400)
    rows = {(row.begin, row.subject): row for row in monitors.run(client, estimates.MONITOR, asked)}
    assert len(rows) == 4 * 3
    known, waiting = rows[asked.begin, "accuracy"], rows[END - timedelta(days=1), "accuracy"]
    assert (known.n, known.details["maturity"], waiting.details["maturity"]) == (A_DAY, 1.0, 0.0)
    assert known.details["off"] == pytest.approx(known.details["estimate"] - known.details["realised"])
    assert (waiting.details["realised"], waiting.details["off"]) == (None, None)
    for row in rows.values():
        trusted = not row.details["doubts"]
        assert (row.value, row.low is not None) == (row.details["estimate"] if trusted else None, trusted)
    assert waiting.value is not None
    early = Asked(service=records.SERVICE, begin=BEGIN, end=BEGIN + timedelta(days=2), step_s=86_400)
    for row in monitors.run(client, estimates.MONITOR, early):
        assert row.value is None
        assert row.details["doubts"][0].startswith("fewer than 2 mature windows")


def test_both_are_commands(settings, monkeypatch):
    for name in ("clickhouse_url", "clickhouse_database", "clickhouse_user"):
        value = getattr(settings.recording, name, None)
        if value:
            monkeypatch.setenv(f"WEIR_{name.upper()}", str(value))
    monkeypatch.setenv("WEIR_SERVICE", records.SERVICE)
    times = ["--since", "2013-07-01", "--until", "2013-07-21"]
    costs = ["--miss-cost", "4", "--false-alarm-cost", "1"]
    run = CliRunner().invoke(cli, ["threshold", "suggest", records.SERVICE, *costs, *times, "--json"])
    assert run.exit_code == 0, run.output
    assert json.loads(run.stdout)["days"] == DAYS - WAITING
    few = CliRunner().invoke(
        cli, ["threshold", "suggest", records.SERVICE, *costs, "--since", "2013-07-10", *times[2:]]
    )
    assert few.exit_code == 1
    assert "9 days have their outcomes, 14 are needed" in few.stdout
    said = ["estimate", records.SERVICE, "--from", "2013-07-01", "--to", "2013-07-21", "--last", "1", "--json"]
    run = CliRunner().invoke(cli, said)
    assert {row["figure"] for row in json.loads(run.stdout)} == {"accuracy", "f1", "auc"}
    of = ["outcome/estimated", "--service", records.SERVICE, "--from", "2013-07-20", "--to", "2013-07-21"]
    (accuracy, *_) = json.loads(CliRunner().invoke(cli, ["monitors", "run", *of, "--json"]).stdout)
    assert (accuracy["subject"], accuracy["n"], accuracy["details"]["realised"]) == ("accuracy", A_DAY, None)
    assert accuracy["low"] < accuracy["value"] < accuracy["high"]
    explained = CliRunner().invoke(cli, ["monitors", "explain", *of], env={"COLUMNS": "300"}).stdout
    assert "an isotonic fit, which no SQL makes" in explained
    assert "at most 0.03 a month" in explained
