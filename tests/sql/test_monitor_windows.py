"""Which windows monitors speak of that tell of gaps, of the scoring and of costs, and when they say it again."""

import json
from datetime import timedelta

import pytest
from weir.agents.monitor.agent import Files
from weir.edges.clickhouse import monitors
from weir.settings import load

from tests.doubles import monitoring
from tests.doubles.monitoring import MINUTE, NOON, MemoryBooks, batch, monitor, predict, reject, worker

HOUR = timedelta(hours=1)
OBJECTIVE = """title: requests that are answered
service: made-up
objective: 99%
window: 28d
monitor: health/errors
good: 1 - value
"""


@pytest.fixture
def settings(database, tmp_path):
    return database.having(
        monitors_dir=tmp_path / "monitors", slos_dir=tmp_path / "slos", monitor_late_days=1.0, monitor_first_windows=100
    )


def life(settings, books, *names, **parts):
    known = monitors.files(load())
    return worker(settings, books, monitors=lambda: {name: known[name] for name in names}, **parts)


def said(books, monitor_name):
    """(minutes after noon, revision, value) of each figure."""
    rows = [row for row in books.measurements if row["monitor"] == monitor_name]
    return [((row["begin"] - 1000 * int(NOON.timestamp())) // 60_000, row["revision"], row["value"]) for row in rows]


def told(books):
    return [(row["monitor"], row["to_state"]) for row in books.alerts]


def test_an_objective_burns_while_everything_is_rejected(client, settings):
    settings.paths.slos_dir.mkdir()
    (settings.paths.slos_dir / "answered.yaml").write_text(OBJECTIVE)
    predict(client, 0, 599, begin=NOON)
    for minute in range(10, 20):
        reject(client, 600 + 100 * minute, 699 + 100 * minute, at=NOON + minute * MINUTE)
    known = Files(settings).read()
    books = MemoryBooks()
    parts = {"bounds": monitoring.bounds(10**6), "now": lambda: NOON + 30 * MINUTE}
    worker(settings, books, monitors=lambda: {"slo/answered/1h": known["slo/answered/1h"]}, **parts).look()
    assert told(books) == [("slo/answered/1h", "firing")]


def test_a_monitor_of_the_project_speaks_of_the_windows_of_the_one_that_it_is_like(client, settings):
    folder = settings.paths.monitors_dir / "mine"
    folder.mkdir(parents=True)
    for name, like in (("errors", "health/errors"), ("whole", "ledger/complete")):
        (folder / f"{name}.sql").write_text(f"-- name: mine/{name}\n-- like: {like}\n")
    predict(client, 0, 3599, begin=NOON)
    predict(client, 3600, 7300, begin=NOON + HOUR, ledger=False)
    reject(client, 9000, 9099, at=NOON + 10 * MINUTE)
    books = MemoryBooks()
    parts = {"bounds": monitoring.bounds(10**6), "now": lambda: NOON + 4 * HOUR}
    names = ("health/errors", "mine/errors", "ledger/complete", "mine/whole")
    worker(settings, books, monitors=lambda: {each: monitors.files(settings)[each] for each in names}, **parts).look()
    assert said(books, "mine/errors") == said(books, "health/errors") != []
    assert said(books, "mine/whole") == said(books, "ledger/complete") == [(0, 0, 0.0), (60, 0, 3600.0)]


@pytest.mark.parametrize("before", [0, 600])  # predictions before it begins; a new service has none
def test_a_service_that_rejects_everything_is_told_of(client, settings, before):
    predict(client, 0, before - 1, begin=NOON) if before else None
    for minute in range(10, 30):
        reject(client, 600 + 100 * minute, 699 + 100 * minute, at=NOON + minute * MINUTE)
    books = MemoryBooks()
    names, at = ("health/errors", "health/rejected", "health/lag", "health/stages"), NOON + 30 * MINUTE
    wall = [at]
    # More comes all the time, so that the partition is never idle.
    worker_ = life(settings, books, *names, bounds=monitoring.bounds(10**6), now=lambda: wall[0])
    worker_.look()
    assert said(books, "health/errors") == [(10, 0, 1.0), (15, 0, 1.0), (20, 0, 1.0)], "the last may go on"
    wall[0] += 2 * MINUTE
    worker_.look()
    worker_.look()
    assert said(books, "health/errors")[3:] == [(25, 0, 1.0)]
    assert ("health/errors", "firing") in told(books)
    (covers,) = json.loads(next(row["covers"] for row in books.measurements))
    assert covers == ["log", monitoring.TOPIC, 0, 1600, 2099]


def test_batches_that_are_recorded_late_make_what_is_of_them_anew(client, settings):
    monitor(settings.paths.monitors_dir, "paid")
    path = settings.paths.monitors_dir / "paid.sql"
    path.write_text(path.read_text().replace("-- panel", "-- grain: batches predictions\n-- panel"))
    predict(client, 0, 599, begin=NOON)
    books = MemoryBooks()
    here = worker(settings, books)
    here.look()
    here.look()
    assert [(at, revision) for at, revision, _ in said(books, "paid")] == 2 * [(0, 0)] + 2 * [(5, 0)]
    batch(client, 290, 610, at=NOON + 6 * MINUTE)
    here.look()
    here.look()
    assert [(at, revision) for at, revision, _ in said(books, "paid")][4:] == 2 * [(5, 1)]


def test_an_offset_that_is_only_on_its_way_pages_nobody(client, settings):
    """A ledger that is recorded later than the predictions: what lacked then is no loss."""
    predict(client, 0, 3599, begin=NOON)
    predict(client, 3600, 7199, begin=NOON + HOUR, ledger=False)
    predict(client, 7200, 7300, begin=NOON + 2 * HOUR, ledger=False)
    books = MemoryBooks()
    here = life(settings, books, "ledger/complete")
    here.look()
    here.look()
    assert said(books, "ledger/complete") == [(0, 0, 0.0), (60, 0, 3600.0)]
    here = life(settings, books, "ledger/complete")  # whoever goes on knows that it was early
    predict(client, 3600, 7300, begin=NOON, ledger=True, predictions=False)
    here.look()
    here.look()
    assert said(books, "ledger/complete")[2:] == [(60, 1, 0.0)]
    assert told(books) == [("ledger/complete", "pending"), ("ledger/complete", "ok")]
