"""What learners find, as actions. Whoever takes one is a person: none changes anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from weir.learn.comparison import Comparison, Verdict, Word
from weir.learn.drift import Drift
from weir.learn.incidents import Incident
from weir.monitor.action import Action

PROMOTE: Final = "promote"
DRIFT: Final = "drift"
INCIDENT, OVER = "incident", "incident-over"


def promotion(of: Comparison, *, learner: str, service: str, at_ms: int) -> Action | None:
    """The promotion of a learner that is proven better; None of any other.

    While it stays proven it is the same action, however often it is proposed. at_ms: when that is.
    """
    if of.word is not Word.PROMOTE or of.begin_ms is None or of.since_ms is None:
        return None
    first = of.figures[0]
    name = first.figure.replace("_", " ")
    surely = f"{name} is better by {first.better_by:.4g}, surely by {first.low:.4g}"
    return Action(
        kind=PROMOTE,
        service=service,
        subject="",
        proposed_by=f"learners/{learner}",
        sentence=f"let learner {learner} answer: on {of.days} closed days, {of.requests:,} requests, its {surely}",
        parameters={"learner": learner},
        evidence={
            "days": of.days,
            "requests": of.requests,
            "figures": [asdict(one) for one in of.figures if one.verdict is not Verdict.UNDECIDED or one is first],
        },
        measurement_id="",
        begin_ms=of.begin_ms,
        end_ms=of.since_ms,
        at_ms=at_ms,
    )


def drifted(of: Drift, *, service: str, learner: str) -> Action:
    """That what comes true has drifted away from what the champion expects."""
    sentence = f"{of.name}: what comes true of {service} has been {of.residual:+.3g} off what its champion expects"
    return _of_champion(DRIFT, sentence, service, learner, asdict(of), of.begin_ms, of.at_ms, of.at_ms)


def incident(of: Incident, *, service: str, learner: str) -> Action:
    """That the champion's loss has risen, at the first alarm; or, where the incident has an end, that it is over."""
    if of.end_ms is None:
        sentence = f"{of.name}: the loss of the champion of {service} is {of.loss:.4g} instead of {of.usual:.4g}"
        return _of_champion(INCIDENT, sentence, service, learner, asdict(of), of.begin_ms, of.begin_ms, of.begin_ms)
    sentence = f"{of.name} of {service} is over: there was no alarm for a day, after {of.alarms}"
    return _of_champion(OVER, sentence, service, learner, asdict(of), of.begin_ms, of.end_ms, of.end_ms)


def _of_champion(
    kind: str,
    sentence: str,
    service: str,
    learner: str,
    evidence: Mapping[str, Any],
    begin_ms: int,
    end_ms: int,
    at_ms: int,
) -> Action:
    return Action(
        kind=kind,
        service=service,
        subject="",
        proposed_by=f"learners/{learner}",
        sentence=sentence,
        parameters={},
        evidence=evidence,
        measurement_id="",
        begin_ms=begin_ms,
        end_ms=end_ms,
        at_ms=at_ms,
    )
