"""What is proposed because of a figure: the action that a budget names, when it will not last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from weir.core.budget import Measure
from weir.monitor.action import Action
from weir.monitor.measurement import Measurement
from weir.monitor.segment import Segment

BUDGETS: Final = "cost/budgets"
WORDS: Final = {
    Measure.VARIANT: "let variant {variant} answer",
    Measure.SAMPLING: "score {share:.0%} of the requests",
    Measure.REJECT: "score no more requests",
}
NEEDED: Final = {Measure.VARIANT: ("variant",), Measure.SAMPLING: ("share",)}  # of a remedy, beside its kind
FORECAST: Final = ("amount", "spent", "forecast", "currency", "period")


def proposed(said: Measurement, evidence: Mapping[str, Any]) -> Action | None:
    """The action that a figure calls for, whose alert fires and pages; None where nobody has named one.

    Of a budget there is one for each of its periods, however often its alert fires. evidence: that of the alert.
    """
    told = said.details
    remedy = json.loads(told.get("action") or "{}") if said.key.monitor == BUDGETS else {}
    kind = Measure(remedy.get("kind", Measure.NONE))
    if kind is Measure.NONE:
        return None
    budget = said.key.subject
    subject = str(Segment(tenant=told["tenant"], team=told["team"]))
    what = WORDS[kind].format(**remedy) + (f" of {subject}" if subject else "")
    forecast = f"{told['forecast']:.6g} of {told['amount']:.6g} {told['currency']}"
    return Action(
        kind=kind.value,
        service=said.key.service,
        subject=subject,
        proposed_by=f"budgets/{budget}",
        sentence=f"{what}: the forecast of budget {budget} for its {told['period']} is {forecast}",
        parameters={"budget": budget, **{name: remedy[name] for name in NEEDED.get(kind, ())}}
        | {name: told[name] for name in FORECAST},
        evidence=evidence,
        measurement_id=said.measurement_id,
        begin_ms=1000 * told["period_begin"],
        end_ms=1000 * told["period_end"],
        at_ms=said.computed_ms,
    )
