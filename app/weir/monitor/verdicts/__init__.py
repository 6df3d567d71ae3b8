"""What monitors' rows say, in sentences: a family of questions a module, named by `-- verdict:` in a header."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from weir.monitor import words
from weir.monitor.spec import Row
from weir.monitor.verdict import Saying, Scene, State, Verdict
from weir.monitor.verdicts import (
    accounts,
    arrival,
    calibration,
    costs,
    drift,
    drift_one,
    foreseen,
    letters,
    mistakes,
    performance,
    plain,
    speed,
    views,
)

# name in a header -> who says it
VERDICTS: Final[Mapping[str, Saying]] = {
    "plain": plain.say,
    "drift": drift.inputs,
    "drift_classes": drift.classes,
    "drift_one": drift_one.say,
    "views": views.say,
    "performance": performance.say,
    "foreseen": foreseen.say,
    "calibration": calibration.tenths,
    "calibration_slope": calibration.slope,
    "confusion": mistakes.confusion,
    "error_by_value": mistakes.by_value,
    "loss_by_age": mistakes.by_age,
    "maturity": arrival.maturity,
    "waiting": arrival.waiting,
    "arrivals": arrival.odd,
    "conservation": costs.conservation,
    "cost_services": costs.services,
    "cost_tenants": costs.tenants,
    "cost_components": costs.components,
    "cost_regression": costs.regression,
    "cost_untagged": costs.untagged,
    "cost_unpriced": costs.unpriced,
    "budgets": costs.budgets,
    "latency": speed.latency,
    "stages": speed.stages,
    "within": speed.within,
    "rate": speed.rate,
    "ledger": accounts.complete,
    "ledger_gaps": accounts.gaps,
    "ledger_totals": accounts.totals,
    "letters": letters.reasons,
    "rejected_share": letters.share,
    "golden": letters.golden,
}


def of(name: str) -> Saying:
    """Who says what the rows of a monitor say. name: of its header (`Monitor.verdict`); '' is plain."""
    return VERDICTS[name or "plain"]


def say(rows: Sequence[Row], scene: Scene) -> Verdict:
    """The answer to a monitor's question, out of its rows by window and subject.

    It is of the newest window that is complete, has enough rows and enough of its outcomes, against those before it.
    """
    if not rows:
        return Verdict(State.UNKNOWN, words.nothing(scene))
    return of(scene.monitor.verdict)(rows, scene)
