"""A version whose predictions have become dearer: found by its evidence, named by its alert, and no price's fault."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from scipy import stats
from weir.core.prices import UNITS, Price, tariffs
from weir.edges.clickhouse import costs, monitors
from weir.monitor.spec import Asked

from tests.doubles import spent
from tests.doubles.monitoring import MemoryBooks, worker
from tests.doubles.records import LOG, REQUESTS
from tests.doubles.spent import DAY_MS, FIRST_MS, Answer, Batch

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAYS, HOURS, ROWS = 15, 24, 10
LAST = DAYS - 1
PRICED_FROM, DEARER_FROM = 5, 13  # days of the book: no price before the one, twice the price from the other on


def cpu_us(day, hour, dearer):
    usual = 1 + 0.01 * (day * 7 % 5 - 2) + 0.02 * (hour * 3 % 4 - 1.5)
    return round(1e6 * usual * (1.4 if dearer else 1))


def batch(number, day, hour, dearer=False):
    at_ms = FIRST_MS + day * DAY_MS + hour * 3_600_000
    counters = (cpu_us(day, hour, dearer), 500_000, 0, 0, 0, 0)
    return Batch(number, ROWS * number, ROWS * number + ROWS - 1, 0, at_ms, counters)


@pytest.fixture
def settings(database, client):
    prices = [
        Price(date(2026, 1, 1 + PRICED_FROM), Decimal(1)),
        Price(date(2026, 1, 1 + DEARER_FROM), Decimal(2)),
    ]
    costs.make(client, "EUR", [one for unit in UNITS for one in tariffs(unit, prices)], [])
    usual = [batch(HOURS * day + hour, day, hour) for day in range(DAYS) for hour in range(HOURS)]
    dear = [batch(HOURS * DAYS + hour, LAST, hour, dearer=True) for hour in range(HOURS)]
    answers = [
        Answer(one.first + i, one.number, one.at_ms, version=version)
        for version, batches in (("1", usual), ("2", dear))
        for one in batches
        for i in range(ROWS)
    ]
    spent.record(client, [*usual, *dear], answers)
    last = dear[-1].last
    client.command(
        "INSERT INTO ledger (role, service, source_log, source_topic, source_partition, first, last, read, scored) "
        f"VALUES ('scorer', 'fraud', '{LOG}', '{REQUESTS}', 0, 0, {last}, {last + 1}, {last + 1})"
    )
    return database


def test_a_dearer_version_is_found_and_named_and_a_new_price_or_none_is_no_rise(settings, client):
    monitor = monitors.files(settings)["cost/regression"]
    asked = Asked(service="fraud", begin=BEGIN, end=BEGIN + timedelta(days=DAYS), step_s=86_400)
    rows = {(row.begin.day - 1, row.subject): row for row in monitors.run(client, monitor, asked)}
    dear, same = rows[LAST, "2/champion"], rows[LAST, "1/champion"]
    logs = np.log([np.mean([cpu_us(day, hour, False) for hour in range(HOURS)]) for day in range(LAST)])
    now = np.array([cpu_us(LAST, hour, True) for hour in range(HOURS)], float)
    difference = np.log(now.mean()) - logs.mean()
    error = np.hypot(logs.std(ddof=1) * (1 + 1 / LAST) ** 0.5, now.std(ddof=1) / now.mean() / HOURS**0.5)
    assert dear.value == pytest.approx(np.expm1(difference), rel=1e-6)
    bounds = np.expm1(stats.t(LAST - 1, difference, error).interval(0.95))
    assert (dear.low, dear.high) == pytest.approx(tuple(bounds), rel=2e-3)
    assert np.log(dear.p) == pytest.approx(stats.t(LAST - 1).logsf(difference / error), rel=0.05)
    assert (dear.n, dear.details["dearest"], dear.details["base_days"]) == (ROWS * HOURS, "cpu", LAST)
    assert dear.details["base_per_million"] == pytest.approx(2e6 * np.exp(logs.mean()) / 1e6 / ROWS, rel=1e-6)
    assert abs(same.value) < 0.05
    assert rows[DEARER_FROM, "1/champion"].value == pytest.approx(same.value, abs=0.05)
    assert {day for (day, _), row in rows.items() if row.value is None} == set(range(PRICED_FROM))

    books = MemoryBooks()
    worker(settings, books, monitors=lambda: {monitor.name: monitor}).look()
    told = [(row["subject"], row["to_state"], row["severity"], row["runbook"]) for row in books.alerts]
    assert told == [("2/champion", "firing", "ticket", "cost")]
    assert books.alerts[0]["sentence"].startswith("Rise of the cost per prediction of 2/champion: 4")
    unpriced = [row["state"] for row in books.measurements if row["value"] is None]
    assert unpriced == ["few"] * PRICED_FROM


def test_the_cost_of_a_version_has_an_interval_by_the_hours_of_its_day(settings, client):
    from weir.edges.clickhouse import results

    results.make(client, {"fraud": "0"})
    monitor = monitors.files(settings)["cost/services"]
    day = BEGIN + timedelta(days=LAST)
    asked = Asked(service="fraud", begin=day, end=day + timedelta(days=1), step_s=86_400)
    rows = {row.subject: row for row in monitors.run(client, monitor, asked)}
    each = np.array([cpu_us(LAST, hour, True) for hour in range(HOURS)]) / ROWS * 2
    half = stats.t(HOURS - 1).ppf(0.975) * each.std(ddof=1) / HOURS**0.5
    dear = rows["m/2/champion//"]
    assert dear.value == pytest.approx(each.mean(), rel=1e-6)
    assert (dear.low, dear.high) == pytest.approx((each.mean() - half, each.mean() + half), rel=1e-4)
