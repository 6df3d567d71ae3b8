"""The panels of all pages, by name, in the order in which a page shows them."""

from __future__ import annotations

from typing import Final

from weir.web.console.asking import Asker
from weir.web.console.panel import Registered, Slot
from weir.web.console.panels import (
    alert,
    alerts,
    balance,
    better,
    burn,
    calibration,
    calls,
    causes,
    cost,
    drift,
    foreseen,
    further,
    latency,
    learner,
    learners,
    ledger,
    letters,
    maturity,
    mistakes,
    needs,
    outcomes,
    ranking,
    released,
    score,
    services,
    tiles,
    timeline,
    traffic,
)
from weir.web.console.view import View

# name -> build, question, class of its height, pages
PANELS: Final[dict[str, Registered]] = {
    "balance": Registered(balance.build, balance.QUESTION, "short", ("overview", "ledger")),
    "needs": Registered(needs.build, needs.QUESTION, "list", ("overview",)),
    "services": Registered(services.build, services.QUESTION, "list", ("overview",)),
    "traffic": Registered(traffic.build, traffic.QUESTION, "pair", ("overview",)),
    "ledger": Registered(ledger.build, ledger.QUESTION, "tall", ("ledger",)),
    "letters": Registered(letters.build, letters.QUESTION, "tall", ("letters",)),
    "alerts": Registered(alerts.build, alerts.QUESTION, "tall", ("alerts",)),
    "ranking": Registered(ranking.build, ranking.QUESTION, "list", ("alerts",)),
    "alert": Registered(alert.build, alert.QUESTION, "medium", ("alert",)),
    "causes": Registered(causes.build, causes.QUESTION, "small", ("alert",)),
    "timeline": Registered(timeline.build, timeline.QUESTION, "small", ("alert",)),
    "learners": Registered(learners.build, learners.QUESTION, "list", ("learners",)),
    "learner": Registered(learner.build, learner.QUESTION, "learner", ("learner",)),
    "better": Registered(better.build, better.QUESTION, "tall", ("learner",)),
    "calls": Registered(calls.build, calls.QUESTION, "small", ("learners", "learner")),
    "tiles": Registered(tiles.build, "In short", "in-short", ("service",), "In short", "in-short tiles-panel"),
    "drift": Registered(drift.build, "Has the input moved?", "drift", ("service",), "Inputs"),
    "score": Registered(score.build, "What does the model say?", "score", ("service",), "Scores"),
    "outcomes": Registered(outcomes.build, "Was the model right?", "outcomes", ("service",), "Outcomes"),
    "foreseen": Registered(foreseen.build, foreseen.QUESTION, "picture", ("service",), "Foreseen"),
    "calibration": Registered(
        calibration.build, "Can the scores be read as probabilities?", "picture", ("service",), "Calibration", "third"
    ),
    "mistakes": Registered(mistakes.build, "What does it take for what?", "picture", ("service",), "Mistakes", "third"),
    "maturity": Registered(
        maturity.build, "How fast does the truth arrive?", "picture", ("service",), "Arrival", "third"
    ),
    "cost": Registered(cost.build, "What did it cost, and where did it go?", "cost", ("service",), "Cost"),
    "latency": Registered(latency.build, "Is it fast enough?", "latency", ("service",), "Speed"),
    "burn": Registered(burn.build, burn.QUESTION, "picture", (), "Budgets"),
    "released": Registered(released.build, released.QUESTION, "short"),
    **{
        name: Registered(further.build_of(name), one.question, "further", ("further",), cls="third maybe")
        for name, one in further.FURTHER.items()
    },
}


def slots(page: str) -> list[Slot]:
    """Places of a page's panels, in order."""
    return [slot(name) for name, one in PANELS.items() if page in one.pages]


def slot(name: str) -> Slot:
    """The place of a panel that its page shows only where there is something to say."""
    one = PANELS[name]
    return Slot(name, f"/panel/{name}", one.question, one.height, one.short, one.cls)


def of_project(asker: Asker, view: View) -> list[Slot]:
    """Places for the monitors of the project, which appear by themselves. Raises Unavailable, Refused."""
    task = asker.task(view.service) if view.service else None
    return [
        Slot(f"own-{number}", f"/panel/own/{one.name}", one.question, "medium", one.title)
        for number, one in enumerate(one for one in asker.monitors().values() if one.own)
        if task is None or task in one.tasks
    ]
