"""What learners find, as actions. None changes anything: a person takes it, or a rule that the project has set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from weir.learn import pairs
from weir.learn.comparison import Comparison, Figure, Verdict, Word
from weir.learn.drift import Drift
from weir.learn.incidents import Incident
from weir.monitor.action import Action

PROMOTE: Final = "promote"
BACK: Final = "promote-back"
DRIFT: Final = "drift"
INCIDENT, OVER = "incident", "incident-over"


def promotion(of: Comparison, *, learner: str, service: str, at_ms: int, pair: str = "") -> Action | None:
    """The promotion of a learner that is proven better; None of any other.

    While it stays proven it is the same action, however often it is proposed. at_ms: when that is. pair: see pairs.
    """
    if of.word is not Word.PROMOTE:
        return None
    first = of.figures[0]
    surely = f"{_called(first)} is better by {first.better_by:.4g}, surely by {first.low:.4g}"
    sentence = f"let learner {learner} answer: on {of.days} closed days, {of.requests:,} requests, its {surely}"
    return _of_learner(PROMOTE, sentence, of, learner, service, at_ms, pair)


def way_back(of: Comparison, *, learner: str, service: str, at_ms: int, pair: str = "") -> Action | None:
    """That a learner which answers be taken back, since the one that answered before is proven better; else None."""
    if of.word is not Word.KEEP:
        return None
    first = of.figures[0]
    surely = f"{_called(first)} is worse by {-first.better_by:.4g}, surely by {-(first.high or 0.0):.4g}"
    days = f"on {of.days} closed days since it answers, {of.requests:,} requests"
    return _of_learner(BACK, f"take learner {learner} back: {days}, its {surely}", of, learner, service, at_ms, pair)


def _called(of: Figure) -> str:
    return of.figure.replace("_", " ")


def _of_learner(
    kind: str, sentence: str, of: Comparison, learner: str, service: str, at_ms: int, pair: str
) -> Action | None:
    if of.begin_ms is None or of.since_ms is None:
        return None
    first = of.figures[0]
    between = {"answers": pairs.answering(pair), "champion": pairs.beside(pair)} if pair else {}
    return Action(
        kind=kind,
        service=service,
        subject="",
        proposed_by=f"learners/{learner}",
        sentence=sentence,
        parameters={"learner": learner},
        evidence={
            "days": of.days,
            "requests": of.requests,
            "figures": [asdict(one) for one in of.figures if one.verdict is not Verdict.UNDECIDED or one is first],
            **between,
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


def incident(of: Incident, *, service: str, learner: str, why: str = "") -> Action:
    """That the champion's loss has risen, at the first alarm; or, where the incident has an end, that it is over.

    why: of the latter; empty: there was no alarm for a day.
    """
    if of.end_ms is None:
        sentence = f"{of.name}: the loss of the champion of {service} is {of.loss:.4g} instead of {of.usual:.4g}"
        return _of_champion(INCIDENT, sentence, service, learner, asdict(of), of.begin_ms, of.begin_ms, of.begin_ms)
    many = "1 alarm" if of.alarms == 1 else f"{of.alarms} alarms"
    sentence = f"{of.name} of {service} is over: {why or 'there was no alarm for a day'}, after {many}"
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
