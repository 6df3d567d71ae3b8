"""Every monitor that Weir brings, over a record of bad luck: none fails, and none says more than it can."""

from datetime import timedelta

import numpy as np
import pytest
from weir.core.chunk import LogPartition
from weir.core.grid import grid_of
from weir.core.signature import Task
from weir.edges.bundles.reference import of_numbers
from weir.edges.clickhouse import costs, monitors, reports, results
from weir.monitor.parameters import MEANING
from weir.recording import tables

from tests.databases import put
from tests.doubles import histograms, records
from tests.doubles.monitoring import NOON, SERVICE, MemoryBooks, batch, predict, worker
from tests.sql.test_outcomes import replaced

HOUR = timedelta(hours=1)
OUTCOMES = LogPartition("log", "weir.outcomes", 0)
SCORE = "multiIf(number % 7 = 0, inf, number % 7 = 1, -inf, number % 7 = 2, nan, 0.3)"


@pytest.fixture
def settings(database, client):
    """An hour of one row, one of constants and infinities, none, and one with an input that nobody knew before."""
    results.make(client, {SERVICE: "if(label = '1', 1, 0)"})
    costs.make(client, "EUR", [], [])  # a book without a price
    predict(client, 0, 0, begin=NOON)
    predict(client, 1, 600, begin=NOON + HOUR, gap_s=5, score=SCORE)
    predict(client, 601, 1200, begin=NOON + 3 * HOUR, gap_s=5)
    batch(client, 0, 0, at=NOON)
    early = records.outcomes([f"later-{n}" for n in range(50)], [1.0] * 50, by="request_id", service=SERVICE)
    put(client, "outcomes", tables.outcomes(early, OUTCOMES, np.arange(50), 1000 * int(NOON.timestamp())))
    usual = np.linspace(0, 1, 2000)
    grid = grid_of(usual)
    histograms.describe(client, service=SERVICE, features={"x": of_numbers(usual, grid)}, n=2000)
    of = {"service": SERVICE}
    histograms.record(
        client,
        [
            histograms.numbers(NOON, "x", [0.5], grid, **of),
            histograms.numbers(NOON + HOUR, "x", [np.inf] * 300 + [-np.inf] * 100 + [7.0] * 200, grid, **of),
            histograms.words(NOON + HOUR, "w", {f"word {n}": 1 for n in range(1000)}, rest=9000, **of),
            histograms.numbers(NOON + 3 * HOUR, "yesterdays", np.linspace(0, 1, 600), grid, **of),
        ],
    )
    return database.having(monitor_failures=1)


def describe(client, task):
    """Let a bundle say what the service predicts; of several classes each prediction has their chances, some odd."""
    said = records.bundles(outputs=("a", "b") if task is Task.MULTICLASS else ())
    if task is Task.REGRESSION:
        said = replaced(said, task=[task.value], classes=["[]"], decisions=["[]"], cuts=["[]"], threshold=[None])
    said = replaced(said, service=[SERVICE])
    put(client, "bundles", tables.bundles(said, LogPartition("log", "weir.bundles", 0), np.arange(1)))
    if task is Task.MULTICLASS:
        chances = "ALTER TABLE predictions UPDATE outputs = map('a', score, 'b', 1 - score) WHERE true"
        client.command(chances, settings={"mutations_sync": 1})


@pytest.mark.parametrize("task", [Task.MULTICLASS, Task.REGRESSION])
def test_none_that_depends_on_the_task_fails_for_another_one(settings, client, task):
    describe(client, task)
    known = {
        name: one
        for name, one in monitors.files(settings).items()
        if task in one.tasks and not one.on_demand and (name.startswith("outcome/") or one.parameters.keys() & MEANING)
    }
    assert reports.meaning(client, SERVICE).task is task
    books = MemoryBooks()
    worker(settings, books, monitors=lambda: known).look()
    assert {row["monitor"]: row["details"] for row in books.measurements if row["state"] == "failed"} == {}
    assert {row["monitor"] for row in books.measurements} == set(known)
    assert not [row for row in books.alerts if row["monitor"].startswith("outcome/")]


def test_no_monitor_fails_and_none_says_more_than_it_can(settings):
    books, known = MemoryBooks(), monitors.files(settings)
    worker(settings, books, monitors=lambda: known).look()
    failed = {row["monitor"]: row["details"] for row in books.measurements if row["state"] == "failed"}
    assert failed == {}
    assert {row["monitor"] for row in books.measurements} == {
        name for name, one in known.items() if "binary" in one.tasks and not one.on_demand
    }
    noon_ms = 1000 * int(NOON.timestamp())
    empty = range(noon_ms + 2 * 3_600_000, noon_ms + 3 * 3_600_000)
    assert not [row for row in books.measurements if row["begin"] in empty and row["step_s"] <= 3600]
    said = {
        (row["subject"], (row["begin"] - noon_ms) // 3_600_000): row["state"]
        for row in books.measurements
        if row["monitor"] == "drift/features"
    }
    assert said == {("x", 0): "few", ("x", 1): "page", ("yesterdays", 3): "few"}
    told = {row["monitor"] for row in books.alerts}
    assert "drift/features" in told
    assert not {name for name in told if name.startswith(("cost/", "outcome/"))}
