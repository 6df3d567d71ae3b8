"""`weir monitors` and `weir slo` as a person runs them, on what the monitors of health are tested with."""

import csv
import io
import json
import re
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner
from weir.core.errors import Refused
from weir.core.grid import UNIT
from weir.edges.clickhouse import monitors
from weir.monitor.parameters import MEANING, PARAMETERS, VIEWS
from weir.monitor.segment import FILTERS
from weir.settings import load

from tests.command_line import cli
from tests.doubles import histograms, records
from tests.sql.test_health import GOLDEN, N, client
from tests.unit.monitor.test_header import text

__all__ = ["client"]
HOURS = ("--service", records.SERVICE, "--from", "2013-07-01T12:00", "--to", "2013-07-01T15:00")
SLO = (
    "title: fast\nservice: flight-delay\nobjective: 90%\nwindow: 1h\n"
    'monitor: health/within\nsubject: "50"\ngood: value\n'
)


@pytest.fixture
def weir(client, stack, tmp_path, monkeypatch):
    """Run a command in a project of its own; its status, output and errors."""
    for folder in ("monitors", "slos"):
        (tmp_path / folder).mkdir()
    (tmp_path / "weir.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEIR_CLICKHOUSE_URL", stack.settings.recording.clickhouse_url)
    monkeypatch.setenv("WEIR_CLICKHOUSE_DATABASE", client.database)

    def run(*arguments):
        done = CliRunner().invoke(cli, arguments, env={"COLUMNS": "300"})
        if isinstance(done.exception, Refused):
            raise done.exception
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.stdout

    return run


def test_a_monitor_is_run_and_explained(weir):
    status, out = weir("monitors", "run", "health/rate", *HOURS, "--step", "1h", "--json")
    rows = json.loads(out)
    assert status == 0
    assert [row["begin"] for row in rows] == [f"2013-07-01T{hour}:00:00+00:00" for hour in (12, 13, 14)]
    assert sum(row["n"] for row in rows) == N - GOLDEN
    _, out = weir("monitors", "run", "health/rate", *HOURS, "--step", "1h", "--csv", "--where", "tenant=acme")
    assert sum(int(row["n"]) for row in csv.DictReader(io.StringIO(out))) == (N - GOLDEN) // 2
    status, out = weir("monitors", "explain", "health/rate", *HOURS, "--step", "1h")
    assert status == 0
    assert "traffic_hour" in out
    assert "{traffic:Identifier}" in out


GIVEN = {  # parameter of a file -> the option that gives it, a value, and what is bound
    "subject": ("--subject", "humidity", "humidity"),
    "baseline": ("--baseline", "pair", "pair"),
    "base_version": ("--base-version", "7", "7"),
    "base_variant": ("--base-variant", "challenger", "challenger"),
    "base_from": ("--base-from", "2013-06-24T12:00", "2013-06-24 12:00:00"),
    "base_to": ("--base-to", "2013-06-24T15:00", "2013-06-24 15:00:00"),
    "season": ("--season", "weekday", "weekday"),
}
ELSEWHERE = {
    "service",
    "from",
    "to",
    "step",
    *FILTERS,
    *MEANING,
    *VIEWS,
}  # beside them: options of their own, --where, the bundle


def test_every_parameter_of_a_file_can_be_given(weir):
    assert GIVEN.keys() | ELSEWHERE == PARAMETERS.keys()
    bound = {}
    for name in ("drift/feature", "drift/exact"):
        known = monitors.files(load())[name].parameters
        options = [word for one, given in GIVEN.items() if one in known for word in given[:2]]
        status, out = weir("monitors", "explain", name, *HOURS, *options)
        assert status == 0, out
        bound |= dict(re.findall(r"\{(\w+)\}[\s│]+(.*?)[\s│]*$", out, re.M))
    assert {name: bound.get(name) for name in GIVEN} == {name: value for name, (_, _, value) in GIVEN.items()}


@pytest.mark.parametrize(
    "wrong", [("--base-version", "7"), ("--season", "weekday"), ("--base-from", "2013-06-24"), ("--subject", "x")]
)
def test_what_a_monitor_does_not_take_is_refused(weir, wrong):
    with pytest.raises(Refused, match="health/rate takes no"):
        weir("monitors", "run", "health/rate", *HOURS, *wrong)


def test_a_baseline_that_nobody_has_captured_is_refused(weir):
    for command in ("run", "explain"):
        with pytest.raises(Refused, match=r"has no baseline lastweek: none was captured.*weir baseline capture"):
            weir("monitors", command, "drift/features", *HOURS, "--baseline", "lastweek")


def test_a_team_sets_baseline_and_bounds_of_a_monitor_that_weir_brings(weir, tmp_path):
    folder = tmp_path / "monitors" / "drift"
    folder.mkdir()
    (folder / "features.sql").write_text(
        "-- name: drift/features\n-- like: drift/features\n-- baseline: frozen july\n-- warn:\n-- page: > 2\n"
    )
    (row,) = (one for one in json.loads(weir("monitors", "list", "--json")[1]) if one["name"] == "drift/features")
    assert (row["warn"], row["page"], row["of"], row["baseline"]) == ("", "> 2", "project", "frozen july")
    status, out = weir("monitors", "explain", "drift/features", *HOURS)
    assert status == 0
    assert re.search(r"\{baseline\}[\s│]+july", out)
    assert f"{records.SERVICE} has no baseline july: there is nothing to compare with" in out
    weir("monitors", "run", "drift/features", *HOURS)
    status, out = weir("query", "drift/features", "--param", f"service={records.SERVICE}", "--json")
    assert (status, json.loads(out)) == (0, [])
    assert weir("monitors", "check", "drift/features")[0] == 0
    (folder / "score.sql").write_text("-- name: drift/score\n-- like: drift/features\n")
    status, out = weir("monitors", "check", "--headers")
    assert status == 1
    assert "there are two monitors drift/score" in " ".join(out.split())


def test_a_monitor_of_another_task_says_so(weir, client):
    histograms.describe(client, service=records.SERVICE)
    status, out = weir("monitors", "run", "outcome/error", *HOURS)
    assert status == 0
    assert f"outcome/error is for regression, and {records.SERVICE} is binary" in out


def test_of_a_subject_that_is_not_there_it_is_said_which_are(weir, client):
    noon = datetime(2013, 7, 1, 12, tzinfo=UTC)
    for name in ("temp", "wind"):
        histograms.record(client, [histograms.numbers(noon, name, [1.0, 2.0], UNIT, service=records.SERVICE)])
    _, out = weir("monitors", "run", "drift/features", *HOURS, "--subject", "tempp", "--step", "1h")
    assert "drift/features has nothing of tempp here, but of temp, wind" in out


def test_monitors_are_listed_and_checked(weir, tmp_path):
    listed = {row["name"]: row for row in json.loads(weir("monitors", "list", "--json")[1])}
    assert {"health/golden", "outcome/estimated"} <= listed.keys()
    by_test = listed["drift/features"]["false_alarms"]
    assert {one: (said["a_month"], said["at_most"]) for one, said in by_test.items()} == {
        "warn": (pytest.approx(0.72), True),
        "page": (pytest.approx(0.72), True),
    }
    assert listed["cost/conservation"]["false_alarms"]["page"]["a_month"] is None, "nobody knows: none is made up"
    (tmp_path / "slos" / "fast.yaml").write_text(SLO)
    kpi = {"owner": "team-a", "target": "> 1", "slo": "fast"}
    (tmp_path / "monitors" / "rate.sql").write_text(text(**kpi))
    status, out = weir("monitors", "check", "rate")
    assert (status, out.splitlines()[-1]) == (0, "1 monitors read, the SQL of 1 was tried, 0 refused")
    (tmp_path / "monitors" / "rate.sql").write_text(text(**kpi | {"slo": "slow"}))
    status, out = weir("monitors", "check", "--headers")
    assert status == 1
    assert "KPI rate is linked with the objective slow, which there is not" in out
    (tmp_path / "monitors" / "rate.sql").write_text(text("", **kpi))
    status, out = weir("monitors", "check", "rate", "--headers")
    assert status == 1
    assert "it has a header and no SQL" in out


def test_an_objective_has_a_status_and_is_simulated(weir, tmp_path):
    (tmp_path / "slos" / "fast.yaml").write_text(SLO)
    (tmp_path / "slos" / "broken.yaml").write_text("title: t\n")  # hides no other
    status, out = weir("slo", "status", "--at", "2013-07-01T13:00", "--json")
    (row,) = json.loads(out)
    assert status == 1  # half of the answers take longer: ten times what the budget allows
    assert row["total"] == 3600
    assert row["budget_spent"] == pytest.approx((1 - row["share"]) / 0.1)
    assert row["severity"] == "warn" if row["burns"][0]["long"] < 14.4 else "page"
    asked = ("--from", "2013-07-01T12:00", "--to", "2013-07-01T14:00", "--objective", "10%", "--objective", "99%")
    status, out = weir("slo", "simulate", "fast", *asked, "--json")
    low, high = json.loads(out)
    assert status == 0
    assert (low["windows"], low["met"], high["met"]) == (13, 13, 0)
    assert high["pages"] == 1


def test_what_the_ledger_does_not_account_for_is_not_part_of_an_objective(weir, tmp_path):
    (tmp_path / "slos" / "fast.yaml").write_text(SLO)  # offsets of 13:23:20 to 13:25 are in no entry
    (row,) = json.loads(weir("slo", "status", "--at", "2013-07-01T14:00", "--json")[1])
    assert (row["total"], row["held_back"]) == (3600 - 600, 2)
    assert "fast: 2 steps with requests are left out" in " ".join(
        weir("slo", "status", "--at", "2013-07-01T14:00")[1].split()
    )
    (tmp_path / "slos" / "fast.yaml").write_text(SLO + "step: 1m\n")
    (row,) = json.loads(weir("slo", "status", "--at", "2013-07-01T14:00", "--json")[1])
    assert (row["total"], row["held_back"]) == (3600 - 3 * 60, 3)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("90%", "100%"), "objective: 100%.*such as 0.999 or 99.9%"),
        (("within", "traffic"), "gives ms, no share.*write a bound"),
        (('subject: "50"\n', ""), "of one limit_ms.*subject"),
        (("good: value", "good: some"), "good: some.*or value or 1 - value"),
        (("window", "windows"), "key windows.*did you mean window"),
        (("title: fast\n", ""), "does not say title"),
        (("health/within", "health/withn"), r"fast\.yaml.*no monitor health/withn: did you mean health/within"),
    ],
)
def test_what_is_no_objective_is_refused(weir, tmp_path, changed, said):
    (tmp_path / "slos" / "fast.yaml").write_text(SLO.replace(*changed))
    status, out = weir("monitors", "check", "health/rate", "--headers")
    assert status == 1
    assert re.search(said, out)
