"""The monitors of costs, against worked figures."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from weir.core.budget import Budget, Measure, Period, Remedy
from weir.core.prices import UNITS, Price, tariffs
from weir.edges.clickhouse import costs, monitors, results
from weir.edges.clickhouse.client import connect
from weir.monitor.spec import Asked
from weir.monitor.verdict import Scene
from weir.monitor.verdicts.costs import budgets
from weir.settings import load

from tests.databases import migrated
from tests.doubles import spent
from tests.doubles.spent import DAY_MS, FIRST_MS, Answer, Batch

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = Asked(service="fraud", begin=BEGIN, end=BEGIN + timedelta(days=1), step_s=86_400)
LATER = BEGIN + timedelta(days=9)
COUNTERS = (1_000_000, 500_000, 2_000, 4_000, 30, 10)  # a second of CPU, half of one idle, 20 reads
BOOK = [one for unit in UNITS for one in tariffs(unit, [Price(date(2025, 12, 1), Decimal(1))])]
# Ten records a day for ten days: 8 answers and two dead letters, for one second of CPU and for two in turn.
BATCHES = [
    Batch(n, 10 * n, 10 * n + 9, 2, FIRST_MS + n * DAY_MS, (COUNTERS[0] * (1 + n % 2), *COUNTERS[1:]), other_us=10**6)
    for n in range(10)
]
ANSWERS = [
    Answer(
        one.first + i, one.number, one.at_ms, version="1" if i < 6 else "2", tenant="t" if i < 6 else "", team="risk"
    )
    for one in BATCHES
    for i in range(8)
]
BUDGETS = [
    Budget(name="month", service="fraud", amount=Decimal(40), action=Remedy(Measure.VARIANT, "small")),
    Budget(name="tenants", service="fraud", amount=Decimal(100), tenant="t", period=Period.WEEK),
    Budget(name="other", service="churn", amount=Decimal(1)),
]


@pytest.fixture(scope="module")
def recorded(databases):
    with migrated(databases) as settings:
        client = connect(settings.recording)
        results.make(client, {"fraud": "if(label = '1', 10, 0)"})
        costs.make(client, "EUR", BOOK, BUDGETS)
        spent.record(client, BATCHES, ANSWERS)
        yield client


def rows(client, name, asked=DAY):
    monitor = monitors.files(load())[f"cost/{name}"]
    return {row.subject: row for row in monitors.run(client, monitor, asked)}


def test_a_look_at_answers_is_left_out_where_every_batch_has_its_own(recorded):
    monitor = monitors.files(load())["cost/tenants"]
    bound = monitors.parameters(recorded, monitor, DAY)
    short, more = costs.needed(recorded, monitor.sql, bound)
    assert ("FROM predictions" in monitor.sql, "FROM predictions" in short) == (True, False)
    assert more["currency"] == "EUR"
    asked = dict(parameters=bound, settings=monitors.ASKING)
    assert (
        recorded.query(short, **asked | {"parameters": bound | more}).result_rows
        == recorded.query(monitor.sql, **asked).result_rows
    )


def test_all_that_was_metered_has_gone_somewhere(recorded):
    found = rows(recorded, "conservation")
    assert {name: row.value for name, row in found.items()} == dict.fromkeys(
        ("clickhouse", "cpu", "features", "idle", "kafka_in", "kafka_out"), 0.0
    )
    cpu = found["cpu"].details
    assert (cpu["used"], cpu["metered"], cpu["currency"]) == (1.0, 1.0, "EUR")
    assert cpu["allocated"] == pytest.approx(0.8, rel=1e-6)
    assert cpu["rejected"] == pytest.approx(0.2, rel=1e-6)
    assert (found["idle"].details["idle"], found["cpu"].n) == (0.5, 10)


def test_answers_that_the_record_lacks_are_unexplained(recorded):
    lost = Batch(90, 900, 909, 0, FIRST_MS + 40 * DAY_MS, COUNTERS)
    spent.record(recorded, [lost], [Answer(900 + i, 90, lost.at_ms) for i in range(9)])
    later = Asked(service="fraud", begin=BEGIN + timedelta(days=40), end=BEGIN + timedelta(days=41), step_s=3600)
    found = rows(recorded, "conservation", later)
    assert found["cpu"].value == pytest.approx(0.1, abs=1e-6)
    spent.record(recorded, [], [Answer(909, 90, lost.at_ms)])
    assert rows(recorded, "conservation", later)["cpu"].value == 0


def test_components_tenants_and_what_nobody_can_be_charged_for(recorded):
    parts = rows(recorded, "components")
    assert (parts["cpu"].value, parts["idle"].value) == (1.0, 0.5)
    assert (parts["features"].value, parts["features"].details["used"]) == (pytest.approx(2e-5), 20.0)
    tenants = rows(recorded, "tenants")
    assert {name: (row.n, row.details["share"]) for name, row in tenants.items()} == {
        "t": (6, pytest.approx(0.75, abs=1e-6)),
        "": (2, pytest.approx(0.25, abs=1e-6)),
    }
    untagged = rows(recorded, "untagged")
    assert (untagged["tenant"].value, untagged["team"].value) == (pytest.approx(0.25, abs=1e-6), 0.0)


def test_a_version_costs_what_it_did_and_earns_what_came_true(recorded):
    found = rows(recorded, "services")
    first, second = found["m/1/champion/risk/t"], found["m/2/champion/risk/"]
    assert first.details["per_prediction"] == pytest.approx(second.details["per_prediction"], rel=1e-6)
    assert first.value == pytest.approx(1e6 * first.details["cost"] / 6)
    idle_and_rejected = first.details["overhead"] + second.details["overhead"]
    assert idle_and_rejected == pytest.approx(0.5 + 0.2, rel=1e-3)
    assert (first.details["correct"], first.details["per_correct"], first.details["per_value"]) == (0, None, None)


def test_a_budget_is_forecast_by_the_days_before(recorded):
    """Nine days of 1.5 and 2.5 in turn, then six hours of a tenth: 22 days and a bit are left of January."""
    asked = Asked(service="fraud", begin=LATER, end=LATER + timedelta(hours=6), step_s=21_600)
    (month, tenants) = (rows(recorded, "budgets", asked)[name] for name in ("month", "tenants"))
    days = [1.5 + n % 2 for n in range(9)]
    mean = sum(days) / 9
    left = 22 - 0.25
    forecast = sum(days) + 2.5 + mean * left
    deviation = (sum((day - mean) ** 2 for day in days) / 8) ** 0.5
    margin = 1.96 * deviation * (left + left * left / 9) ** 0.5
    assert month.value == pytest.approx(forecast / 40, rel=1e-3)
    assert (month.low, month.high) == (
        pytest.approx((forecast - margin) / 40, rel=1e-3),
        pytest.approx((forecast + margin) / 40, rel=1e-3),
    )
    assert (month.n, month.details["days"], month.details["period"], month.details["currency"]) == (
        10,
        9,
        "month",
        "EUR",
    )
    assert tenants.details["spent"] == pytest.approx(0.6 * sum(1 + n % 2 for n in range(4, 10)), rel=1e-3)


def test_what_has_no_price_is_said_beside_budgets_that_are_null(recorded):
    """CPU has a price from the sixth of January on; ten days of the period are asked about."""
    asked = Asked(service="fraud", begin=BEGIN + timedelta(days=4), end=BEGIN + timedelta(days=6), step_s=86_400)
    assert {row.value for row in rows(recorded, "unpriced", asked).values()} == {0.0}
    late = tariffs("cpu_second", [Price(date(2026, 1, 6), Decimal(1))])
    costs.make(recorded, "EUR", [*(one for one in BOOK if one.component is not late[0].component), *late], BUDGETS)
    monitor = monitors.files(load())["cost/unpriced"]
    found = {(row.begin.day, row.subject): row.value for row in monitors.run(recorded, monitor, asked)}
    assert {key for key, gap in found.items() if gap} == {(5, "cpu")}
    assert found[5, "cpu"] == 1.0
    budget = monitors.files(load())["cost/budgets"]
    of_hours = Asked(service="fraud", begin=LATER, end=LATER + timedelta(hours=6), step_s=21_600)
    told = monitors.run(recorded, budget, of_hours)
    assert {row.value for row in told} == {None}
    scene = Scene(monitor=budget, service="fraud", begin=LATER, end=of_hours.end, step_s=21_600)
    assert "month and tenants cannot be forecast: something that was used has no price" in budgets(told, scene).sentence
    costs.make(recorded, "EUR", [], BUDGETS)
    assert monitors.run(recorded, monitor, asked) == [], "no book at all"
    costs.make(recorded, "EUR", BOOK, BUDGETS)
