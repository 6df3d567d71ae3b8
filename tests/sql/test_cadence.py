"""Traffic and label delay of a service, by its predictions and by what is counted; how often it is looked at."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner
from weir.agents.monitor.pace import Pace
from weir.core.chunk import LogPartition
from weir.core.signature import Task
from weir.edges.clickhouse import monitors, outcome_cells, pace, results
from weir.edges.clickhouse.client import connect
from weir.monitor.left import Work
from weir.operations import cadence
from weir.recording import tables
from weir.settings import load

from tests.command_line import cli
from tests.databases import migrated, put
from tests.doubles import records
from tests.sql.test_outcomes import replaced

DAYS, A_DAY = 20, 240  # ten an hour, of the past: each outcome is known six hours later, but of every tenth none comes
BEGIN = datetime(2013, 7, 1, tzinfo=UTC)
N, DELAY_S = DAYS * A_DAY, 6 * 3600


@pytest.fixture(scope="module")
def settings(databases):
    with migrated(databases) as of:
        client = connect(of.recording)
        at = (BEGIN.timestamp() * 1000 + np.arange(N) * (86_400_000 // A_DAY)).astype(np.int64)
        rows = records.predictions(0, list(range(N)))
        rows = replaced(rows, event_time=times(at), scored_at=times(at + 90 * 86_400_000))
        put(client, "predictions", tables.predictions(rows, LogPartition("log", "p", 0), np.arange(N), records.names))
        known = [n for n in range(N) if n % 10 and at[n] + 1000 * DELAY_S < at[-1]]
        labels = [float(n % 4 == 1) for n in known]
        said = records.outcomes([f"r0-{n}" for n in known], labels, by="request_id")
        said = replaced(said, occurred_at=times(at[known] + 1000 * DELAY_S))
        put(client, "outcomes", tables.outcomes(said, LogPartition("log", "o", 0), np.arange(len(known)), 0))
        put(client, "bundles", tables.bundles(records.bundles(), LogPartition("log", "b", 0), np.arange(1)))
        results.make(client, {records.SERVICE: ""})
        yield of


def times(at):
    return pa.array(at).cast(records.MS)


def test_both_ways_to_know_the_traffic_agree(settings):
    client = connect(settings.recording)
    seen = cadence.traffic(client, records.SERVICE)
    assert seen.rows_s == pytest.approx(A_DAY / 86_400, rel=0.01)
    assert seen.labelled == pytest.approx(0.9 * (7 * 24 - 6) / (7 * 24), abs=0.005)  # the newest have none yet
    assert (seen.delay_s, seen.positive) == (DELAY_S, pytest.approx(0.25, abs=0.05))
    before = pace.traffic(client, records.SERVICE, "positive")
    assert (before.labelled, before.delay_s) == (1.0, 0.0), "nothing is counted yet"
    outcome_cells.keep(client, records.SERVICE, Task.BINARY, quiet_s=0)
    counted = pace.traffic(client, records.SERVICE, "positive")
    assert counted.rows_s == pytest.approx(seen.rows_s, rel=0.01)
    assert counted.labelled == pytest.approx(0.9, abs=0.005)
    assert counted.delay_s == pytest.approx(DELAY_S, rel=0.01)
    assert counted.positive == pytest.approx(0.25, abs=0.03)
    assert pace.traffic(client, "nobody", "") is None


def test_a_worker_looks_it_up_once_an_hour_and_says_what_follows(settings, monkeypatch):
    client, known, asked = connect(settings.recording), monitors.files(load()), []
    monkeypatch.setattr(pace, "traffic", lambda *of, ask=pace.traffic: asked.append(of) or ask(*of))
    of, drift = Pace(), known["drift/features"]
    mine = [drift, known["health/rate"]]
    with capture_logs() as logs:
        for now_s in (0.0, 10.0, 3599.0, 3601.0):
            of.look(client, records.SERVICE, "1", mine, now_s)
    assert len(asked) == 2
    assert [(one["every"], one["sees"][0].split()[0]) for one in logs] == [("1d", drift.name), ("look", "health/rate")]
    assert logs[0]["sees"][0].endswith(" psi"), "the smallest effect, too"
    work, newest = Work(records.SERVICE, drift.name, 3600), BEGIN + timedelta(days=20)
    assert of.is_turn(work, drift, newest, 4000.0)
    of.looked([work], newest)
    hours = [of.is_turn(work, drift, newest + timedelta(hours=n), 4000.0 + n) for n in range(1, 25)]
    assert hours == [False] * 23 + [True]
    of.looked([work], newest + timedelta(days=1))
    assert not of.is_turn(work, drift, newest + timedelta(days=1), 4100.0), "ten an hour: the next one will come"
    assert of.is_turn(work, drift, newest + timedelta(days=1), 4000.0 + 24 + 3700.0), "nothing comes any more"


def test_it_is_a_command(settings, monkeypatch):
    for name in ("clickhouse_url", "clickhouse_database"):
        monkeypatch.setenv(f"WEIR_{name.upper()}", str(getattr(settings.recording, name)))
    asked = ["monitors", "cadence", "--service", records.SERVICE]
    found = {row["monitor"]: row for row in json.loads(CliRunner().invoke(cli, [*asked, "--json"]).stdout)}
    drift = found["drift/features"]
    assert (drift["window"], drift["1h"] > 0.1 > drift["1d"]) == (86_400, True)
    assert found["outcome/auc"]["known_after_s"] == found["outcome/auc"]["window"] + DELAY_S
    assert "drift/exact" not in found, "people alone ask it"
    shown = CliRunner().invoke(cli, asked, env={"COLUMNS": "200"}).stdout
    assert "0.00278 predictions a second, 87% with an outcome" in shown
    assert " *" in next(line for line in shown.splitlines() if "drift/features" in line)
