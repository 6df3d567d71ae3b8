"""Every monitor that Weir brings, over a record of bad luck: none fails, and none says more than it can."""

from datetime import timedelta

import numpy as np
import pytest
from weir.core.chunk import LogPartition
from weir.core.grid import grid_of
from weir.edges.bundles.reference import of_numbers
from weir.edges.clickhouse import costs, monitors, results
from weir.recording import tables

from tests.databases import put
from tests.doubles import histograms, records
from tests.doubles.monitoring import NOON, SERVICE, MemoryBooks, batch, predict, worker

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
