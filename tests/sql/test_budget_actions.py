"""What budgets propose where they will not last: each action once a period, wherever the worker is killed."""

import json
from decimal import Decimal

import pytest
from weir.core.budget import Budget, Measure, Period, Remedy
from weir.edges.clickhouse import costs, monitors

from tests.doubles import spent
from tests.doubles.monitoring import Killed, MemoryBooks, worker
from tests.doubles.records import LOG, REQUESTS
from tests.doubles.spent import DAY_MS, FIRST_MS, Answer, Batch
from tests.sql.test_cost_monitors import BOOK, COUNTERS

HOUR_MS = 3_600_000
BATCHES = [
    Batch(n, 10 * n, 10 * n + 9, 0, at_ms, COUNTERS)
    for n, at_ms in enumerate([*(FIRST_MS + hour * HOUR_MS for hour in range(7)), FIRST_MS + DAY_MS])
]
ANSWERS = [Answer(one.first + i, one.number, one.at_ms, tenant="t") for one in BATCHES for i in range(10)]
DAILY = {"service": "fraud", "amount": Decimal(1), "period": Period.DAY}
BUDGETS = [
    Budget(name="all", action=Remedy(Measure.VARIANT, "small"), **DAILY),
    Budget(name="tenants", action=Remedy(Measure.SAMPLING, share=0.5), tenant="t", **DAILY),
    Budget(name="watched", **DAILY),
    Budget(name="ample", action=Remedy(Measure.REJECT), **DAILY | {"amount": Decimal(10**6)}),
]


@pytest.fixture
def settings(database, client):
    costs.make(client, "EUR", BOOK, BUDGETS)
    spent.record(client, BATCHES, ANSWERS)
    last = BATCHES[-1].last
    client.command(
        "INSERT INTO ledger (role, service, source_log, source_topic, source_partition, first, last, read, scored) "
        f"VALUES ('scorer', 'fraud', '{LOG}', '{REQUESTS}', 0, 0, {last}, {last + 1}, {last + 1})"
    )
    return database


def life(settings, books):
    known = {"cost/budgets": monitors.files(settings)["cost/budgets"]}
    return worker(settings, books, monitors=lambda: known)


def test_each_action_is_proposed_once_a_period_wherever_the_worker_is_killed(settings):
    calm, killed = MemoryBooks(), MemoryBooks()
    life(settings, calm).look()
    said = [(row["proposed_by"], row["kind"], row["subject"], row["begin"]) for row in calm.actions]
    assert sorted(said) == [
        (f"budgets/{name}", kind, subject, FIRST_MS + day * DAY_MS)
        for name, kind, subject in (("all", "variant", ""), ("tenants", "sampling", "tenant=t"))
        for day in range(2)
    ]
    first = next(row for row in calm.actions if row["kind"] == "variant")
    parameters, evidence = json.loads(first["parameters"]), json.loads(first["evidence"])
    assert (parameters["variant"], parameters["budget"], parameters["amount"]) == ("small", "all", 1.0)
    assert (evidence["monitor"], evidence["parameters"]["service"]) == ("cost/budgets", "fraud")
    assert first["sentence"].startswith("let variant small answer: the forecast of budget all for its day is ")
    assert first["end"] == first["begin"] + DAY_MS
    assert first["measurement_id"] in {row["measurement_id"] for row in calm.measurements}
    for records in (len(calm.measurements) + len(calm.alerts) + 1, 1, float("inf")):
        killed.budget = records
        try:
            life(settings, killed).look()
        except Killed:
            continue
    ids = [row["action_id"] for row in killed.actions]
    assert sorted(ids) == sorted(row["action_id"] for row in calm.actions)
    assert len(set(ids)) == len(ids) == 4
