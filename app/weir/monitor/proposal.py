"""What is proposed because of a figure: what a budget names when it will not last, or to train a service anew."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from weir.core.budget import Measure
from weir.monitor.action import RETRAIN, Action
from weir.monitor.measurement import Measurement
from weir.monitor.segment import Segment

BUDGETS: Final = "cost/budgets"
WORDS: Final = {
    Measure.VARIANT: "let variant {variant} answer",
    Measure.SAMPLING: "score {share:.0%} of the requests",
    Measure.REJECT: "score no more requests",
}
NEEDED: Final = {Measure.VARIANT: ("variant",), Measure.SAMPLING: ("share",)}  # of a remedy, beside its kind
DAY_MS: Final = 86_400_000
SPAN_DAYS: Final = 91  # that a service is trained anew on: a quarter, so that each weekday has its share
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


def retraining(said: Measurement, sentence: str, since_ms: int, evidence: Mapping[str, Any]) -> Action:
    """The request to train a service anew that an alert makes: one an alert, and one of all that fire with it.

    said: a figure of the alert. sentence: of the alert. since_ms: begin of its first window. It names the quarter
    until the end of that window, with the outcomes that were known when the figure was computed.
    """
    key, until_ms = said.key, since_ms + said.end_ms - said.begin_ms
    begin_ms = max(until_ms - SPAN_DAYS * DAY_MS, 0)
    return Action(
        kind=RETRAIN,
        service=key.service,
        subject="",
        proposed_by=f"monitors/{key.monitor}",
        sentence=f"train {key.service} on {SPAN_DAYS} days: {sentence}",
        parameters={"from": begin_ms, "to": until_ms, "known_until": said.computed_ms},
        evidence={"why": [sentence], **evidence},
        measurement_id=said.measurement_id,
        begin_ms=begin_ms,
        end_ms=until_ms,
        at_ms=said.computed_ms,
    )
