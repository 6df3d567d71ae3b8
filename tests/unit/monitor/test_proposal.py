"""Which figures call for an action, and which."""

import dataclasses
import json

import pytest
from weir.core.budget import Measure, Remedy
from weir.monitor.proposal import proposed

from tests.unit.monitor.test_records import MEASURED

DAY_S = 86_400
DETAILS = {
    "team": "risk",
    "tenant": "",
    "amount": 1200.0,
    "spent": 900.0,
    "forecast": 1350.5,
    "currency": "EUR",
    "period": "month",
    "period_begin": 31 * DAY_S,
    "period_end": 59 * DAY_S,
}


def figure(remedy, monitor="cost/budgets", **details):
    action = json.dumps(dataclasses.asdict(remedy))
    key = dataclasses.replace(MEASURED.key, monitor=monitor, subject="risk")
    return dataclasses.replace(MEASURED, key=key, details=DETAILS | {"action": action} | details)


@pytest.mark.parametrize(
    ("remedy", "says", "needs"),
    [
        (Remedy(Measure.VARIANT, "small"), "let variant small answer of team=risk", {"variant": "small"}),
        (Remedy(Measure.SAMPLING, share=0.25), "score 25% of the requests of team=risk", {"share": 0.25}),
        (Remedy(Measure.REJECT), "score no more requests of team=risk", {}),
    ],
)
def test_a_budget_proposes_what_it_names(remedy, says, needs):
    found = proposed(figure(remedy), {"monitor": "cost/budgets"})
    assert found.sentence == f"{says}: the forecast of budget risk for its month is 1350.5 of 1200 EUR"
    assert found.parameters.items() >= needs.items()
    assert {"variant", "share"} & found.parameters.keys() == needs.keys()
    assert (found.kind, found.begin_ms, found.end_ms) == (remedy.kind, 31_000 * DAY_S, 59_000 * DAY_S)


def test_it_is_the_same_action_all_period_long_and_another_in_the_next():
    one = figure(Remedy(Measure.REJECT))
    later = dataclasses.replace(one, begin_ms=one.end_ms, details=dict(one.details) | {"forecast": 2000.0})
    after = dataclasses.replace(one, details=dict(one.details) | {"period_begin": 59 * DAY_S})
    ids = [proposed(each, {}).action_id for each in (one, later, after)]
    assert ids[0] == ids[1] != ids[2]


def test_other_figures_and_budgets_without_an_action_propose_nothing():
    assert proposed(figure(Remedy()), {}) is None
    assert proposed(figure(Remedy(Measure.REJECT), monitor="mine/budgets"), {}) is None
    assert proposed(figure(Remedy(Measure.REJECT), action=None), {}) is None
