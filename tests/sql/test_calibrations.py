"""Bounds from what monitors have measured: `weir monitors calibrate` on a database."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from typer.testing import CliRunner
from weir.cli.monitors import cli
from weir.core.chunk import LogPartition
from weir.edges.clickhouse import calibrations, monitors
from weir.recording import tables

from tests.databases import put
from tests.doubles import records

HOUR_MS = 3_600_000
MONITOR = "ours/late"
TEXT = """-- name: ours/late
-- question: How many are late?
-- title: Late ones
-- source: ours
-- tasks: all
-- time: begin
-- value: late
-- unit: share
-- n: n
-- warn: > 0.05
-- page: > 0.1
-- window: 1h
-- panel: lines
SELECT toStartOfInterval(event_time, toIntervalSecond({step:UInt32})) AS begin, avg(score) AS late, count() AS n
FROM predictions WHERE service = {service:String} AND event_time >= {from:DateTime} AND event_time < {to:DateTime}
GROUP BY begin
"""
SERVICE = "flight-delay"
BEGIN = datetime.fromtimestamp(records.BASE_MS / 1000, UTC)


def measured(client, monitor, n, *, state="ok", subject="", first=0):
    """Figures of n windows, one after the other."""
    begins = [records.BASE_MS + 1000 * monitor.window_s * (first + window) for window in range(n)]
    rows = records.said(
        "measurements",
        n,
        service=[SERVICE] * n,
        monitor=[monitor.name] * n,
        subject=[subject] * n,
        step_s=[monitor.window_s] * n,
        begin=begins,
        end=[begin + 1000 * monitor.window_s for begin in begins],
        value=np.random.default_rng(len(subject)).beta(2, 60, n).tolist(),
        state=[state] * n,
    )
    put(client, "measurements", tables.measurements(rows, LogPartition("log", "weir.measurements", 0), np.arange(n)))


@pytest.fixture
def monitor(database, tmp_path, monkeypatch):
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "late.sql").write_text(TEXT)
    monkeypatch.setenv("WEIR_MONITORS_DIR", str(tmp_path))
    return monitors.named(database.having(monitors_dir=tmp_path), MONITOR)


def calibrate(database, monkeypatch, windows, monitor, *options):
    monkeypatch.setenv("WEIR_CLICKHOUSE_URL", database.recording.clickhouse_url)
    monkeypatch.setenv("WEIR_CLICKHOUSE_DATABASE", database.recording.clickhouse_database)
    end = BEGIN + timedelta(seconds=windows * monitor.window_s)
    times = ["--from", BEGIN.isoformat(), "--to", end.isoformat()]
    done = CliRunner().invoke(cli, ["calibrate", SERVICE, "--monitor", MONITOR, *times, "--json", *options])
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def test_bounds_from_a_history_count_from_then_on(database, client, monitor, monkeypatch):
    n = 3 * 30 * 86_400 // monitor.window_s
    for subject in ("decode", "a"):
        measured(client, monitor, n, subject=subject)
    measured(client, monitor, 10, subject="decode", state="few", first=n - 10)
    dry = calibrate(database, monkeypatch, n, monitor, "--dry-run")
    assert calibrations.bounds(client, SERVICE) == {}
    assert calibrate(database, monkeypatch, n, monitor) == dry
    assert [row["severity"] for row in dry] == ["warn", "page"]
    for row, wanted in zip(dry, (4.0, 1.0), strict=True):
        assert (row["too_little"], row["subjects"]) == ("", 2)
        assert row["a_month"] <= wanted
    found = calibrations.bounds(client, SERVICE)[MONITOR]
    assert sorted(found) == ["a", "decode"]
    for row in dry:
        bound = getattr(found["a"], row["severity"])
        assert bound.sign == getattr(monitor, row["severity"]).sign
        assert bound.bound == pytest.approx(row["by_subject"]["a"])
    assert found["a"].warn.bound < found["a"].page.bound
    listed = json.loads(CliRunner().invoke(cli, ["list", "--service", SERVICE, "--json"]).stdout)
    (late,) = [row for row in listed if row["name"] == MONITOR]
    shown = {one: round(said["a_month"], 3) for one, said in late["false_alarms"].items()}
    assert shown == {row["severity"]: row["a_month"] for row in dry}
    assert late["warn"].endswith("(calibrated)")
    explained = CliRunner().invoke(cli, ["explain", MONITOR, "--service", SERVICE], env={"COLUMNS": "300"}).stdout
    assert f"{dry[1]['a_month']:.2g} a month (" in explained
    assert f"calibrated on {dry[1]['windows']:,} windows before" in explained
    stricter = calibrate(database, monkeypatch, n, monitor, "--false-alarms", "4")
    assert stricter[0]["by_subject"]["a"] < dry[0]["by_subject"]["a"]
    assert calibrations.bounds(client, SERVICE)[MONITOR]["a"] != found["a"], "the latest counts"


def test_too_little_history_is_said_and_nothing_stored(database, client, monitor, monkeypatch):
    measured(client, monitor, 50)
    rows = calibrate(database, monkeypatch, 50, monitor)
    assert rows
    assert all(row["too_little"].startswith("50 windows say something, and ") for row in rows)
    assert calibrations.bounds(client, SERVICE) == {}


def test_a_service_that_no_monitor_has_measured_has_no_bounds(database, monitor, monkeypatch):
    assert calibrate(database, monkeypatch, 10, monitor) == []
