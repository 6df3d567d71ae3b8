"""Each service in a line: how much, how fast, what it says, whether its inputs moved, how good, at what cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from weir.core.errors import Refused
from weir.monitor.verdict import State, Verdict, worst
from weir.operations.glance import Service
from weir.operations.overview import Overview
from weir.web.console.asking import Asker
from weir.web.console.glimpse import budgets_at, glimpse
from weir.web.console.panel import Act, Panel
from weir.web.console.view import View

QUESTION: Final = "How does each service do?"
MOST_NAMED: Final = 4


def build(asker: Asker, view: View) -> Panel:
    """Its panel. Raises Unavailable, Refused."""
    found = glimpse(asker, view)
    return Panel(
        name="services",
        question=QUESTION,
        verdict=verdict(found.services),
        template="services.html",
        context={
            "services": found.services,
            "states": {one.name: state(one) for one in found.services},
            "held": {one.name: _held(one, found) for one in found.services},
            "qualities": sorted({one.quality.name for one in found.services if one.quality}),
        },
        monitor="overview/traffic",
        acts=(Act("Figures", f"/rows/overview/figures{view.link()}"),),
        note=" ".join(_said(one) for one in budgets_at(asker, found.end).refused),
    )


def verdict(found: Sequence[Service]) -> Verdict:
    """How many are in order, and which are not."""
    if not found:
        return Verdict(State.UNKNOWN, "No service has announced itself yet.")
    states = {one.name: state(one) for one in found}
    bad = [f"{name} ({word})" for name, (how, word) in states.items() if how in (State.ALARM, State.LOOK)]
    silent = sum(how is State.UNKNOWN for how, _ in states.values())
    good = len(found) - len(bad) - silent
    said = f"{good} of {len(found)} {'is' if good == 1 else 'are'} in order." if len(found) > 1 else ""
    rest = f"Look at {', '.join(bad[:MOST_NAMED])}{f' and {len(bad) - MOST_NAMED} more' if bad[MOST_NAMED:] else ''}."
    none = f"{silent} {'has' if silent == 1 else 'have'} scored nothing yet."
    parts = [said or ("It is in order." if good else ""), rest if bad else "", none if silent else ""]
    return Verdict(worst([how for how, _ in states.values()]), " ".join(filter(None, parts)))


def _said(refused: Refused) -> str:
    text = str(refused)
    return f"{text[:1].upper()}{text[1:]}."


def _held(one: Service, found: Overview) -> float | None:
    """From which share of its line on it is not complete; None where it is."""
    if not one.behind or one.complete_to is None:
        return None
    return max(0.0, (one.complete_to - found.begin) / (found.end - found.begin))


def state(one: Service) -> tuple[State, str]:
    """How it stands, in a word or two."""
    if one.firing:
        return one.state, f"{one.firing} firing"
    if one.pending:
        return one.state, f"{one.pending} pending"
    if not one.predictions and one.newest is None:
        return State.UNKNOWN, "nothing yet"
    return one.state, "behind" if one.behind else "in order"
