"""What a comparison proposes, as an action. Whoever takes it is a person: a proposal changes nothing."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from weir.learn.comparison import Comparison, Verdict, Word
from weir.monitor.action import Action

PROMOTE: Final = "promote"


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
