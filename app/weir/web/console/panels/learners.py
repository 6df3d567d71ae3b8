"""Which models learn, and how each stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from weir.monitor.verdict import State as Health
from weir.monitor.verdict import Verdict
from weir.web.console import learned
from weir.web.console.asking import Asker
from weir.web.console.learned import Learned
from weir.web.console.panel import Act, Panel
from weir.web.console.view import View

QUESTION: Final = "Which models learn?"
LATE: Final = 1000  # outcomes that wait, from which on a worker is behind


@dataclass(frozen=True, slots=True)
class Line:
    """One learner. beside: figure, the learner's and the champion's; word: what closed days say, and of how many.

    answers: whether it answers for its service. decides: who promotes it, in words.
    """

    name: str
    service: str
    model: str
    health: Health
    state: str
    learned: int | None
    beside: tuple[str, str, str] | None
    word: str
    days: int
    at: datetime | None
    answers: bool
    decides: str


def build(asker: Asker, view: View) -> Panel:
    """Its panel. Raises Refused."""
    found = learned.look(asker)
    return Panel(
        name="learners",
        question=QUESTION,
        verdict=verdict(found),
        template="learners.html",
        context={"lines": [line_of(found, name) for name in found.names], "refused": found.refused, "away": found.away},
        acts=(Act("CSV", f"/learners.csv{view.kept()}"),) if found.names else (),
    )


def verdict(found: Learned) -> Verdict:
    """What all of them say together."""
    if not found.names:
        return Verdict(Health.UNKNOWN, "None. This project has no learner.")
    if found.away is not None:
        return Verdict(Health.UNKNOWN, f"Nobody can say now: {found.away.what}. Their files are below.")
    kinds = {name: found.health(name) for name in found.names}
    bad = [f"“{name}” {_was(said)}" for name, (health, said) in kinds.items() if health is Health.LOOK]
    learns = sum(health is Health.OK for health, _ in kinds.values())
    first = f"{learns} of {len(kinds)} learn." if len(kinds) > 1 else "It learns." if learns else "It does not learn."
    late = found.waiting is not None and found.waiting > LATE
    rest = [f"{one}." for one in bad]
    rest += [f"{learned.outcomes(found.waiting or 0)} wait to be learned."] if late else []
    if not bad and not learns:
        rest.append("No worker has written a state: `weir worker learner` does, with the first outcome.")
    state = Health.LOOK if bad or late else Health.OK if learns else Health.UNKNOWN
    return Verdict(state, " ".join([first, *rest]))


def _was(said: str) -> str:
    return f"was {said}" if said.startswith("stopped") else f"does not: {said}"


def line_of(found: Learned, name: str) -> Line:
    """One of them."""
    state, file = found.states.get(name), found.files.get(name)
    health, said = found.health(name)
    compared: Mapping[str, Any] = (state.compared or {}) if state else {}
    return Line(
        name=name,
        service=state.service if state else file.service if file else "",
        model=str(file) if file else "",
        health=health,
        state=said,
        learned=state.learned if state else None,
        beside=_beside(state.figures) if state else None,
        word=str(compared.get("word", "")),
        days=int(compared.get("days", 0)),
        at=state.at if state else None,
        answers=found.answers(name),
        decides=found.decides(name),
    )


def _beside(figures: Mapping[str, Mapping[str, float]]) -> tuple[str, str, str] | None:
    mine, other = figures.get("learner", {}), figures.get("champion", {})
    name = next(iter(mine), None)
    return None if name is None else (learned.word(name), learned.number(mine[name]), learned.number(other.get(name)))
