"""When a champion is to be trained anew, and on what: asked for at the closing of a day, and then not for a while."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from weir.learn.comparison import closing_of
from weir.learn.days import DAY_MS, GOOD, Day
from weir.learn.drift import Drift
from weir.learn.learner import Retrain, Terms
from weir.monitor.action import RETRAIN, Action

SPAN: Final = 28  # closed days whose loss is compared with that of the first so many


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Requests of [begin_ms, end_ms) by event time, with the outcomes that were known until known_ms: so many."""

    begin_ms: int
    end_ms: int
    known_ms: int
    outcomes: int


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for training. why: the causes, as clauses. of: what to train on."""

    at_ms: int
    why: tuple[str, ...]
    of: TrainingSet


@dataclass(slots=True)
class _Since:
    """What there is since the last request. at_ms: when that was, at first the first closing."""

    at_ms: int
    outcomes: int = 0
    days: int = 0
    asked: bool = False


def requests(
    days: Sequence[Day], drifts: Sequence[Drift], rule: Retrain, terms: Terms, *, who: str, until_ms: int
) -> list[Asked]:
    """All that would have been asked for. days: in their order. who: whose loss may rise. until_ms: see comparison."""
    closed = [(day, closing_of(day.begin_ms, terms)) for day in days]
    closed = [(day, at) for day, at in closed if at <= until_ms]
    found: list[Asked] = []
    since = _Since(closed[0][1]) if closed else _Since(0)
    for number, (day, at_ms) in enumerate(closed):
        since.outcomes, since.days = since.outcomes + day.requests, since.days + 1
        if since.asked and at_ms - since.at_ms < rule.rest_days * DAY_MS:
            continue
        so_far = [one for one, _ in closed[: number + 1]]
        if why := _why(so_far, drifts, rule, since, at_ms, who):
            outcomes = sum(one.requests for one in so_far)
            found.append(Asked(at_ms, why, TrainingSet(so_far[0].begin_ms, day.begin_ms + DAY_MS, at_ms, outcomes)))
            since = _Since(at_ms, asked=True)
    return found


def action(of: Asked, *, service: str, learner: str) -> Action:
    """The request as an action. The same request is the same action."""
    days = (of.of.end_ms - of.of.begin_ms) // DAY_MS
    return Action(
        kind=RETRAIN,
        service=service,
        subject="",
        proposed_by=f"learners/{learner}",
        sentence=f"train {service} on {of.of.outcomes:,} outcomes of {days} days: {'; '.join(of.why)}",
        parameters={
            "from": of.of.begin_ms,
            "to": of.of.end_ms,
            "known_until": of.of.known_ms,
            "outcomes": of.of.outcomes,
        },
        evidence={"why": list(of.why)},
        measurement_id="",
        begin_ms=of.of.begin_ms,
        end_ms=of.of.end_ms,
        at_ms=of.at_ms,
    )


def _why(
    days: Sequence[Day], drifts: Sequence[Drift], rule: Retrain, since: _Since, at_ms: int, who: str
) -> tuple[str, ...]:
    """Every cause that there is, as a clause."""
    why = [
        f"{one.name}: {one.residual:+.3g} off what it expects"
        for one in drifts
        if rule.drift and (one.at_ms > since.at_ms or not since.asked) and one.at_ms <= at_ms
    ]
    if rule.decay and since.days >= 2 * SPAN:
        first, last = _mean(days[-since.days :][:SPAN], who), _mean(days[-SPAN:], who)
        if last > (1 + rule.decay) * first:
            why.append(f"its loss is {last:.4g} in {SPAN} days, and was {first:.4g}")
    if rule.age_days and at_ms - since.at_ms >= rule.age_days * DAY_MS:
        why.append(f"{(at_ms - since.at_ms) // DAY_MS} days have passed")
    if rule.outcomes and since.outcomes >= rule.outcomes:
        why.append(f"{since.outcomes:,} outcomes have come")
    return tuple(why)


def _mean(days: Sequence[Day], who: str) -> float:
    """Mean of the loss that decides."""
    parts = [next(part for name, part in day.figures.items() if name not in GOOD) for day in days]
    return sum(part.sums[who] for part in parts) / sum(part.weight for part in parts)
